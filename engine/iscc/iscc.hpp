// The International Standard Content Code (ISO 24138): text to units and back.
//
// A unit is a header and a body. The header is four numbers, MainType, SubType, Version and Length, of which no ISCC
// has one above 7, so they take four bits each and the header two bytes (the format could hold larger ones). The body
// of a unit is a similarity code, or an identity (INSTANCE), or an identifier (ID, FLAKE). An ISCC-CODE is one header
// and the first 64 bits of the bodies of two to five units; which ones, its Length says. Its variant WIDE has 128 bits
// of DATA and INSTANCE.
//
// What is read is what iscc-core reads: base32 of either case with or without "ISCC:", hyphens, white space around it,
// and the multibase forms f, b, v, z and u of the bytes CC 01 and the ISCC; beside one unit or ISCC-CODE also a
// sequence of units. It is as strict as iscc_validate() there: known types and versions only, and a body exactly as
// long as the header says. Nothing here allocates or throws.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "engine/iscc/digits.hpp"

namespace nphd::iscc {

/// As numbered in the header.
enum class MainType : std::uint8_t { meta, semantic, content, data, instance, iscc, id, flake };

inline constexpr std::size_t kMaxUnitBytes = 32;
inline constexpr std::size_t kMaxUnits = 5;

struct Unit {
    MainType main_type = MainType::meta;
    std::uint8_t subtype = 0;
    std::uint8_t version = 0;
    std::uint8_t bytes = 0;
    std::array<std::uint8_t, kMaxUnitBytes> data{};

    std::span<const std::uint8_t> body() const noexcept { return {data.data(), bytes}; }
    friend bool operator==(const Unit&, const Unit&) = default;
};

/// What a text holds.
enum class Form : std::uint8_t { unit, code, wide_code, sequence };

struct Iscc {
    Form form = Form::unit;
    std::array<Unit, kMaxUnits> list{};
    std::size_t count = 0;

    std::span<const Unit> units() const noexcept { return {list.data(), count}; }
    friend bool operator==(const Iscc&, const Iscc&) = default;
};

/// A short text, without a terminating zero.
struct Text {
    std::array<char, 80> data;
    std::size_t size = 0;

    std::string_view view() const noexcept { return {data.data(), size}; }
};

/// Reads a text, or says why it is not an ISCC. The units of a sequence stay in their order.
bool read(std::string_view text, Iscc* out, Failure* failure) noexcept;

/// The canonical text, "ISCC:" and upper-case base32. A sequence becomes the ISCC-CODE of its units, if they make one:
/// DATA and INSTANCE, and at most one each of META, SEMANTIC and CONTENT, the latter of one SubType, with 64 bits or
/// more.
bool write(const Iscc& iscc, Text* out, Failure* failure) noexcept;

/// MainType, SubType and Version of the canonical form, such as CONTENT_TEXT_V0: only bodies of one such type compare.
bool write_type(const Iscc& iscc, Text* out, Failure* failure) noexcept;
void write_type(const Unit& unit, Text* out) noexcept;

/// The unit of these parts, if there is such a one: a SubType and a Version that the MainType has, and 32, 64 .. 256
/// bits; an ID has 64 bits, of version 0 also 72, 80 or 96. There is no unit of MainType ISCC.
bool make_unit(MainType main_type, std::uint8_t subtype, std::uint8_t version, std::span<const std::uint8_t> body,
               Unit* out, Failure* failure) noexcept;

/// Names as in the standard, upper case. Numbers of SubTypes are places among their names.
std::string_view main_type_name(MainType main_type) noexcept;
std::span<const std::string_view> subtype_names(MainType main_type, unsigned version) noexcept;

/// By names of either case.
std::optional<MainType> main_type_named(std::string_view name) noexcept;
std::optional<std::uint8_t> subtype_named(MainType main_type, unsigned version, std::string_view name) noexcept;

}  // namespace nphd::iscc
