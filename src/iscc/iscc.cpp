// ISCCs (ISO 24138) as SQL functions over text: iscc_units, iscc_decode, iscc_type, iscc_normalise and iscc_encode.
#include "src/type/bitvec.hpp"
#include "src/type/shown_input.hpp"

#include "engine/iscc/iscc.hpp"

namespace nphd {

static std::string_view view_of(const text* t) { return {VARDATA_ANY(t), static_cast<size_t>(VARSIZE_ANY_EXHDR(t))}; }

static Datum text_datum(std::string_view view) {
    return PointerGetDatum(cstring_to_text_with_len(view.data(), static_cast<int>(view.size())));
}

[[noreturn]] static void refuse(const text* input, const iscc::Failure& failure) {
    const char* const whole = text_to_cstring(input);
    const char* const reason = failure.reason.data();
    const auto error = [&](const char* place) {
        if (place == nullptr) return errdetail("%s.", reason);
        return errdetail("\"%.*s\" at position %zu %s.", character_bytes(place), place, failure.position, reason);
    };
    ereport(ERROR, errcode(ERRCODE_INVALID_TEXT_REPRESENTATION), errmsg("invalid ISCC: \"%s\"", shown(whole)),
            error(failure.position > 0 ? whole + failure.position - 1 : nullptr));
}

static iscc::Iscc read_or_refuse(const text* input) {
    iscc::Iscc result;
    iscc::Failure failure;
    if (!iscc::read(view_of(input), &result, &failure)) refuse(input, failure);
    return result;
}

NPHD_FUNCTION(iscc_decode) {
    const iscc::Iscc iscc = read_or_refuse(PG_GETARG_TEXT_PP(0));
    if (iscc.form != iscc::Form::unit)
        ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                errmsg("an ISCC of %zu units has no body to compare", iscc.count),
                errhint("Use iscc_units() for its units."));
    return bitvec_datum(new_bitvec(iscc.list[0].body()));
}

NPHD_FUNCTION(iscc_type) {
    const text* input = PG_GETARG_TEXT_PP(0);
    const iscc::Iscc iscc = read_or_refuse(input);
    iscc::Text type;
    iscc::Failure failure;
    if (!iscc::write_type(iscc, &type, &failure)) refuse(input, failure);
    return text_datum(type.view());
}

NPHD_FUNCTION(iscc_normalise) {
    const text* input = PG_GETARG_TEXT_PP(0);
    const iscc::Iscc iscc = read_or_refuse(input);
    iscc::Text canonical;
    iscc::Failure failure;
    if (!iscc::write(iscc, &canonical, &failure)) refuse(input, failure);
    return text_datum(canonical.view());
}

NPHD_FUNCTION(iscc_units) {
    const iscc::Iscc iscc = read_or_refuse(PG_GETARG_TEXT_PP(0));
    InitMaterializedSRF(fcinfo, 0);
    auto* result = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
    for (const iscc::Unit& unit : iscc.units()) {
        iscc::Text type;
        iscc::write_type(unit, &type);
        Datum values[] = {text_datum(type.view()),
                          text_datum(iscc::main_type_name(unit.main_type)),
                          text_datum(iscc::subtype_names(unit.main_type, unit.version)[unit.subtype]),
                          Int32GetDatum(unit.version),
                          Int32GetDatum(8 * unit.bytes),
                          bitvec_datum(new_bitvec(unit.body()))};
        bool nulls[lengthof(values)] = {};
        tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
    }
    return Datum{0};
}

static const char* list_of(std::span<const std::string_view> names) {
    StringInfoData list;
    initStringInfo(&list);
    for (const std::string_view name : names) {
        if (list.len > 0) appendStringInfoString(&list, ", ");
        appendBinaryStringInfo(&list, name.data(), static_cast<int>(name.size()));
    }
    return list.data;
}

static iscc::MainType unit_type_argument(const text* name) {
    const std::optional<iscc::MainType> main_type = iscc::main_type_named(view_of(name));
    if (!main_type)
        ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                errmsg("unknown ISCC MainType \"%s\"", shown(text_to_cstring(name))),
                errhint("MainTypes of units are META, SEMANTIC, CONTENT, DATA, INSTANCE, ID and FLAKE."));
    if (*main_type == iscc::MainType::iscc)
        ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("an ISCC-CODE is not a unit"),
                errhint("Use iscc_normalise() with the texts of its units one after the other, without \"ISCC:\"."));
    return *main_type;
}

static uint8 subtype_argument(iscc::MainType main_type, unsigned version, const text* name) {
    const std::optional<uint8> subtype = iscc::subtype_named(main_type, version, view_of(name));
    if (!subtype)
        ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                errmsg("unknown ISCC SubType \"%s\"", shown(text_to_cstring(name))),
                errhint("Of this MainType and version there is %s.", list_of(iscc::subtype_names(main_type, version))));
    return *subtype;
}

NPHD_FUNCTION(iscc_encode) {
    const iscc::MainType main_type = unit_type_argument(PG_GETARG_TEXT_PP(0));
    const int32 version = PG_GETARG_INT32(2);
    if (version < 0 || version > 1)
        ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("unknown ISCC version %d", version),
                errhint("It is 0, or 0 or 1 of an ID."));
    const uint8 subtype = subtype_argument(main_type, static_cast<unsigned>(version), PG_GETARG_TEXT_PP(1));
    iscc::Iscc iscc;
    iscc.count = 1;
    iscc::Failure failure;
    iscc::Text canonical;
    if (!iscc::make_unit(main_type, subtype, static_cast<uint8>(version), bytes_of(bitvec_of(PG_GETARG_DATUM(3))),
                         &iscc.list[0], &failure) ||
        !iscc::write(iscc, &canonical, &failure))
        ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("there is no such ISCC unit"),
                errdetail("%s.", failure.reason.data()));
    return text_datum(canonical.view());
}

}  // namespace nphd
