// From a text to bytes, and from bytes to units.
#include <algorithm>

#include "engine/iscc/header.hpp"

namespace nphd::iscc {
namespace {

/// "ISCC" among the multicodecs, as a variable-length integer.
constexpr std::uint8_t kMulticodec[] = {0xCC, 0x01};

bool is_space(char c) noexcept { return c == ' ' || (c >= '\t' && c <= '\r'); }

Piece without_space(Piece piece) noexcept {
    while (!piece.text.empty() && is_space(piece.text.front())) {
        piece.text.remove_prefix(1);
        ++piece.begin;
    }
    while (!piece.text.empty() && is_space(piece.text.back())) piece.text.remove_suffix(1);
    return piece;
}

Piece without_scheme(Piece piece) noexcept {
    constexpr std::string_view kScheme = "iscc:";
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
    if (!std::ranges::equal(piece.text.substr(0, kScheme.size()), kScheme, {}, lower)) return piece;
    return without_space({piece.text.substr(kScheme.size()), piece.begin + kScheme.size()});
}

/// The base that a multibase prefix stands for. They are lower case, and no ISCC begins with one of these letters.
std::optional<Base> multibase(std::string_view text) noexcept {
    switch (text.empty() ? '\0' : text.front()) {
        case 'f':
            return Base::base16;
        case 'b':
            return Base::base32;
        case 'v':
            return Base::base32hex;
        case 'z':
            return Base::base58;
        case 'u':
            return Base::base64url;
        default:
            return std::nullopt;
    }
}

/// The header and the body, or several of each, without a multicodec.
bool read_bytes(std::string_view text, Bytes* buffer, std::span<const std::uint8_t>* out, Failure* failure) noexcept {
    const Piece piece = without_scheme(without_space({text}));
    if (piece.text.empty()) return failure->set(0, "There is nothing to read");
    const std::optional<Base> base = multibase(piece.text);
    if (!base) {
        if (!read_digits(Base::base32, piece, true, buffer, failure)) return false;
        *out = buffer->from(0);
        return true;
    }
    if (!read_digits(*base, {piece.text.substr(1), piece.begin + 1}, false, buffer, failure)) return false;
    constexpr std::size_t kPrefix = std::size(kMulticodec);
    if (buffer->size < kPrefix || !std::equal(kMulticodec, kMulticodec + kPrefix, buffer->data.begin()))
        return failure->set(0, "The multibase text does not begin with the multicodec cc01 of an ISCC");
    *out = buffer->from(kPrefix);
    return true;
}

void append(Iscc* out, const Header& header, std::span<const std::uint8_t> body) noexcept {
    Unit& unit = out->list[out->count++];
    unit.main_type = header.main_type;
    unit.subtype = header.subtype;
    unit.version = header.version;
    unit.bytes = static_cast<std::uint8_t>(body.size());
    std::ranges::copy(body, unit.data.begin());
}

/// The units of an ISCC-CODE, in the order in which it has them.
void take_apart(const Header& header, std::span<const std::uint8_t> body, Iscc* out) noexcept {
    const bool wide = header.subtype == kSubtypeWide;
    const std::size_t bytes = wide ? kWideUnitBytes : kCodeUnitBytes;
    out->form = wide ? Form::wide_code : Form::code;
    const auto take = [&](MainType main_type, std::uint8_t subtype) {
        append(out, {main_type, subtype, header.version}, body.subspan(out->count * bytes, bytes));
    };
    if (header.length & kHasMeta) take(MainType::meta, 0);
    if (header.length & kHasSemantic) take(MainType::semantic, header.subtype);
    if (header.length & kHasContent) take(MainType::content, header.subtype);
    take(MainType::data, 0);
    take(MainType::instance, 0);
}

/// Reads what `rest` begins with, and cuts it off.
bool read_next(std::span<const std::uint8_t>* rest, Iscc* out, Failure* failure) noexcept {
    if (rest->size() < kHeaderBytes) return failure->set(0, "A header has %zu bytes, there is 1", kHeaderBytes);
    Header header;
    if (!read_header(*rest, &header, failure)) return false;
    const std::span<const std::uint8_t> behind = rest->subspan(kHeaderBytes);
    const std::size_t bytes = body_bytes(header);
    if (behind.size() < bytes)
        return failure->set(0, "The header wants a body of %zu bytes, there are %zu", bytes, behind.size());
    *rest = behind.subspan(bytes);
    if (header.main_type == MainType::iscc) {
        if (out->count > 0) return failure->set(0, "An ISCC-CODE stands alone");
        take_apart(header, behind, out);
    } else {
        if (out->count == kMaxUnits) return failure->set(0, "There are more than %zu units", kMaxUnits);
        append(out, header, behind.first(bytes));
    }
    return true;
}

}  // namespace

bool read(std::string_view text, Iscc* out, Failure* failure) noexcept {
    Bytes buffer;
    std::span<const std::uint8_t> rest;
    if (!read_bytes(text, &buffer, &rest, failure)) return false;
    if (rest.empty()) return failure->set(0, "There is no header");
    *out = {};
    if (!read_next(&rest, out, failure)) return false;
    while (!rest.empty()) {
        if (out->form == Form::code || out->form == Form::wide_code)
            return failure->set(0, "The body of the ISCC-CODE is too long by %zu bytes", rest.size());
        const std::size_t left = rest.size();
        if (!read_next(&rest, out, failure))
            return failure->set(0, "After the body of unit %zu there are %zu bytes that are no further unit",
                                out->count, left);
        out->form = Form::sequence;
    }
    return true;
}

}  // namespace nphd::iscc
