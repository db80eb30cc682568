// From units to bytes, and from bytes to the canonical text.
#include <algorithm>

#include "engine/iscc/header.hpp"

namespace nphd::iscc {
namespace {

/// One header with the bytes behind it.
struct Code {
    Header header;
    std::array<std::uint8_t, kHeaderBytes + kMaxUnits * kCodeUnitBytes> data;
    std::size_t size = kHeaderBytes;

    void append(std::span<const std::uint8_t> body) noexcept {
        std::ranges::copy(body, data.begin() + static_cast<std::ptrdiff_t>(size));
        size += body.size();
    }
    void seal() noexcept {
        data[0] = static_cast<std::uint8_t>(static_cast<unsigned>(header.main_type) << 4 | header.subtype);
        data[1] = static_cast<std::uint8_t>(header.version << 4 | header.length);
    }
};

Code code_of(const Unit& unit) noexcept {
    Code code;
    code.header = {unit.main_type, unit.subtype, unit.version};
    code.header.length = unit_length(code.header, unit.bytes).value_or(0);
    code.append(unit.body());
    return code;
}

std::uint8_t flag_of(MainType main_type) noexcept {
    switch (main_type) {
        case MainType::meta:
            return kHasMeta;
        case MainType::semantic:
            return kHasSemantic;
        case MainType::content:
            return kHasContent;
        default:
            return 0;
    }
}

/// Whether units sorted by MainType are those of an ISCC-CODE, and long enough.
bool make_a_code(std::span<const Unit> units, Failure* failure) noexcept {
    const std::size_t n = units.size();
    if (n < 2 || units[n - 2].main_type != MainType::data || units[n - 1].main_type != MainType::instance)
        return failure->set(0,
                            "The units of an ISCC-CODE are one DATA, one INSTANCE, and at most one each of META, "
                            "SEMANTIC and CONTENT");
    for (std::size_t i = 0; i < n; ++i) {
        const std::string_view type = main_type_name(units[i].main_type);
        const int width = static_cast<int>(type.size());
        if (i > 0 && units[i].main_type == units[i - 1].main_type)
            return failure->set(0, "There is more than one unit of MainType %.*s", width, type.data());
        if (units[i].bytes < kCodeUnitBytes)
            return failure->set(0, "A unit of an ISCC-CODE has 64 bits or more, that of MainType %.*s has %u", width,
                                type.data(), 8u * units[i].bytes);
        if (i > 0 && units[i].main_type == MainType::content && units[i - 1].main_type == MainType::semantic &&
            units[i].subtype != units[i - 1].subtype)
            return failure->set(0, "SEMANTIC and CONTENT of an ISCC-CODE have one SubType");
    }
    return true;
}

/// An ISCC-CODE without SEMANTIC and CONTENT has no media type: SUM of two units, NONE of three, whatever it said
/// before.
bool compose(const Iscc& iscc, Code* out, Failure* failure) noexcept {
    std::array<Unit, kMaxUnits> sorted = iscc.list;
    const std::span<Unit> units(sorted.data(), iscc.count);
    std::ranges::stable_sort(units, {}, &Unit::main_type);
    if (!make_a_code(units, failure)) return false;
    const bool wide = iscc.form == Form::wide_code;
    out->header = {MainType::iscc, iscc.count == 2 ? kSubtypeSum : kSubtypeNone};
    if (wide) out->header.subtype = kSubtypeWide;
    for (const Unit& unit : units) {
        out->header.length |= flag_of(unit.main_type);
        if (unit.main_type == MainType::semantic || unit.main_type == MainType::content)
            out->header.subtype = unit.subtype;
        out->append(unit.body().first(wide ? kWideUnitBytes : kCodeUnitBytes));
    }
    return true;
}

bool canonical(const Iscc& iscc, Code* out, Failure* failure) noexcept {
    if (iscc.form != Form::unit) return compose(iscc, out, failure);
    *out = code_of(iscc.list[0]);
    return true;
}

void write_type(const Header& header, Text* out) noexcept {
    const std::string_view main_type = main_type_name(header.main_type);
    const std::string_view subtype = subtype_names(header.main_type, header.version)[header.subtype];
    char* end = std::ranges::copy(main_type, out->data.data()).out;
    *end++ = '_';
    end = std::ranges::copy(subtype, end).out;
    end = std::ranges::copy(std::string_view("_V"), end).out;
    *end++ = static_cast<char>('0' + header.version);
    out->size = static_cast<std::size_t>(end - out->data.data());
}

}  // namespace

bool write(const Iscc& iscc, Text* out, Failure* failure) noexcept {
    Code code;
    if (!canonical(iscc, &code, failure)) return false;
    code.seal();
    char* const digits = std::ranges::copy(std::string_view("ISCC:"), out->data.data()).out;
    out->size = static_cast<std::size_t>(write_base32({code.data.data(), code.size}, digits) - out->data.data());
    return true;
}

bool write_type(const Iscc& iscc, Text* out, Failure* failure) noexcept {
    Code code;
    if (!canonical(iscc, &code, failure)) return false;
    write_type(code.header, out);
    return true;
}

void write_type(const Unit& unit, Text* out) noexcept {
    write_type(Header{unit.main_type, unit.subtype, unit.version}, out);
}

bool make_unit(MainType main_type, std::uint8_t subtype, std::uint8_t version, std::span<const std::uint8_t> body,
               Unit* out, Failure* failure) noexcept {
    if (main_type == MainType::iscc) return failure->set(0, "An ISCC-CODE is not a unit, it is made of units");
    Header header{main_type, subtype, version};
    if (!check_header(header, failure)) return false;
    const std::string_view type = main_type_name(main_type);
    const std::optional<std::uint8_t> length = unit_length(header, body.size());
    if (!length)
        return failure->set(0, "A unit of MainType %.*s and version %u has no %zu bits", static_cast<int>(type.size()),
                            type.data(), version, 8 * body.size());
    *out = {};
    out->main_type = main_type;
    out->subtype = subtype;
    out->version = version;
    out->bytes = static_cast<std::uint8_t>(body.size());
    std::ranges::copy(body, out->data.begin());
    return true;
}

}  // namespace nphd::iscc
