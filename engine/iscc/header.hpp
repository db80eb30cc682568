// The two bytes in front of a body.
#pragma once

#include "engine/iscc/iscc.hpp"

namespace nphd::iscc {

inline constexpr std::size_t kHeaderBytes = 2;

/// SubType of an ISCC-CODE as the standard numbers it; below these are the media types.
inline constexpr std::uint8_t kSubtypeSum = 5, kSubtypeNone = 6, kSubtypeWide = 7;

/// Length of an ISCC-CODE: which units precede DATA and INSTANCE.
inline constexpr std::uint8_t kHasMeta = 4, kHasSemantic = 2, kHasContent = 1;

/// Bytes of each unit in an ISCC-CODE, and in the variant WIDE.
inline constexpr std::size_t kCodeUnitBytes = 8, kWideUnitBytes = 16;

struct Header {
    MainType main_type = MainType::meta;
    std::uint8_t subtype = 0;
    std::uint8_t version = 0;
    std::uint8_t length = 0;
};

/// The header of `bytes`, at least kHeaderBytes of them, if there is an ISCC that has it.
bool read_header(std::span<const std::uint8_t> bytes, Header* out, Failure* failure) noexcept;

/// Bytes of the body that a header wants; 0: its Length is none that its MainType has.
std::size_t body_bytes(const Header& header) noexcept;

/// Whether MainType, SubType and Version go together, and a body of the Length is known; or which does not.
bool check_header(const Header& header, Failure* failure) noexcept;

/// The Length of a unit (not of an ISCC-CODE) whose body has that many bytes, if there is one.
std::optional<std::uint8_t> unit_length(const Header& header, std::size_t bytes) noexcept;

}  // namespace nphd::iscc
