#include "engine/iscc/header.hpp"

#include <bit>

namespace nphd::iscc {
namespace {

constexpr std::uint8_t kMaxNumber = 7;

/// An ID of version 0 may count: 64 bits and a counter of up to four bytes. iscc-core knows no ID of 88 bits.
std::size_t id_bytes(const Header& header) noexcept {
    if (header.version == 0) return header.length <= 4 && header.length != 3 ? 8u + header.length : 0;
    return header.length == 0 ? 8 : 0;
}

std::size_t code_bytes(const Header& header) noexcept {
    if (header.length > kMaxNumber) return 0;
    if (header.subtype == kSubtypeWide) return header.length == 0 ? 2 * kWideUnitBytes : 0;
    return kCodeUnitBytes * (2u + static_cast<unsigned>(std::popcount(header.length)));
}

/// An ISCC-CODE lends its SubType to SEMANTIC and CONTENT, which have media types only.
bool lends_no_media_type(const Header& header) noexcept {
    return header.main_type == MainType::iscc && (header.length & (kHasSemantic | kHasContent)) != 0 &&
           header.subtype >= kSubtypeSum;
}

}  // namespace

std::size_t body_bytes(const Header& header) noexcept {
    if (header.main_type == MainType::iscc) return code_bytes(header);
    if (header.main_type == MainType::id) return id_bytes(header);
    return header.length <= kMaxNumber ? 4u * (header.length + 1u) : 0;
}

bool check_header(const Header& header, Failure* failure) noexcept {
    const std::string_view type = main_type_name(header.main_type);
    const int width = static_cast<int>(type.size());
    if (header.version > (header.main_type == MainType::id ? 1 : 0))
        return failure->set(0, "There is no version %u of MainType %.*s", header.version, width, type.data());
    if (header.subtype >= subtype_names(header.main_type, header.version).size())
        return failure->set(0, "MainType %.*s has no SubType %u", width, type.data(), header.subtype);
    if (body_bytes(header) == 0 || lends_no_media_type(header))
        return failure->set(0, "MainType %.*s with SubType %u has no Length %u", width, type.data(), header.subtype,
                            header.length);
    return true;
}

bool read_header(std::span<const std::uint8_t> bytes, Header* out, Failure* failure) noexcept {
    const auto main_type = static_cast<std::uint8_t>(bytes[0] >> 4);
    out->subtype = bytes[0] & 15;
    out->version = bytes[1] >> 4;
    out->length = bytes[1] & 15;
    // The upper half of the numbers begins a longer one, which no ISCC has.
    if ((main_type | out->subtype | out->version | out->length) > kMaxNumber)
        return failure->set(0, "The header %02x%02x has a number above %u", bytes[0], bytes[1], kMaxNumber);
    out->main_type = static_cast<MainType>(main_type);
    return check_header(*out, failure);
}

std::optional<std::uint8_t> unit_length(const Header& header, std::size_t bytes) noexcept {
    if (bytes == 0) return std::nullopt;
    Header with = header;
    for (with.length = 0; with.length <= kMaxNumber; ++with.length)
        if (body_bytes(with) == bytes) return with.length;
    return std::nullopt;
}

}  // namespace nphd::iscc
