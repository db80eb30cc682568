#include "src/am/filter_types.hpp"

#include <cmath>

namespace nphd {

// Numbers of this seed are on disk.
static constexpr int64 kHashSeed = 0;

static const FilterType kTypes[] = {
    {BOOLOID, 1, false},    {CHAROID, 1, false},      {INT2OID, 2, false},        {INT4OID, 4, false},
    {INT8OID, 8, false},    {OIDOID, 4, false},       {FLOAT4OID, 4, false},      {FLOAT8OID, 8, false},
    {DATEOID, 4, false},    {TIMESTAMPOID, 8, false}, {TIMESTAMPTZOID, 8, false}, {UUIDOID, 16, false},
    {ANYENUMOID, 4, false}, {MACADDROID, 8, false},   {TEXTOID, 8, true},         {BPCHAROID, 8, true},
    {BYTEAOID, 8, true},
};

const FilterType* filter_type(Oid opcintype) {
    for (const FilterType& type : kTypes)
        if (type.type == opcintype) return &type;
    return nullptr;
}

static constexpr FilterValue all_ones(uint8 width) {
    return width == 16 ? ~FilterValue{0} : (FilterValue{1} << 8 * width) - 1;
}
static constexpr FilterValue sign_of(uint8 width) { return FilterValue{1} << (8 * width - 1); }

// Two's complement, the negative ones first.
static FilterValue of_signed(int64 value, uint8 width) {
    return (static_cast<uint64>(value) & all_ones(width)) ^ sign_of(width);
}
static int64 signed_of(FilterValue number, uint8 width) {
    const auto bits = static_cast<uint64>(number ^ sign_of(width));
    const int unused = 64 - 8 * width;
    return static_cast<int64>(bits << unused) >> unused;
}

// IEEE 754: as unsigned numbers positive floats are in order, negative ones in the opposite order. The B-tree takes -0
// for 0 and every NaN for the greatest.
static FilterValue of_float(double value, uint64 bits, uint8 width) {
    if (std::isnan(value)) return all_ones(width);
    if (value == 0) return sign_of(width);
    return (bits & sign_of(width)) != 0 ? ~FilterValue{bits} & all_ones(width) : bits | sign_of(width);
}
static uint64 float_bits_of(FilterValue number, uint8 width) {
    const FilterValue bits = (number & sign_of(width)) != 0 ? number ^ sign_of(width) : ~number & all_ones(width);
    return static_cast<uint64>(bits);
}

static FilterValue of_float4(float4 value) {
    uint32 bits;
    memcpy(&bits, &value, sizeof bits);
    return of_float(value, bits, sizeof value);
}
static FilterValue of_float8(float8 value) {
    uint64 bits;
    memcpy(&bits, &value, sizeof bits);
    return of_float(value, bits, sizeof value);
}

// Most significant byte first.
static FilterValue of_bytes(const unsigned char* bytes, int n) {
    FilterValue number = 0;
    for (int i = 0; i < n; ++i) number = number << 8 | bytes[i];
    return number;
}

FilterValue filter_value(const FilterType& type, Oid collation, Datum value) {
    switch (type.type) {
        case BOOLOID:
            return DatumGetBool(value) ? 1 : 0;
        case CHAROID:
            return static_cast<uint8>(DatumGetChar(value));
        case INT2OID:
            return of_signed(DatumGetInt16(value), type.width);
        case INT4OID:
            return of_signed(DatumGetInt32(value), type.width);
        case DATEOID:
            return of_signed(DatumGetDateADT(value), type.width);
        case INT8OID:
            return of_signed(DatumGetInt64(value), type.width);
        case TIMESTAMPOID:
        case TIMESTAMPTZOID:
            return of_signed(DatumGetTimestamp(value), type.width);
        case FLOAT4OID:
            return of_float4(DatumGetFloat4(value));
        case FLOAT8OID:
            return of_float8(DatumGetFloat8(value));
        case OIDOID:
        case ANYENUMOID:
            return DatumGetObjectId(value);
        case UUIDOID:
            return of_bytes(DatumGetUUIDP(value)->data, UUID_LEN);
        case MACADDROID: {
            const macaddr* m = DatumGetMacaddrP(value);
            const unsigned char bytes[] = {m->a, m->b, m->c, m->d, m->e, m->f};
            return of_bytes(bytes, lengthof(bytes));
        }
        case TEXTOID:
            return DatumGetUInt64(
                DirectFunctionCall2Coll(hashtextextended, collation, value, Int64GetDatum(kHashSeed)));
        case BPCHAROID:
            return DatumGetUInt64(
                DirectFunctionCall2Coll(hashbpcharextended, collation, value, Int64GetDatum(kHashSeed)));
        case BYTEAOID:
            return DatumGetUInt64(DirectFunctionCall2(hashvarlenaextended, value, Int64GetDatum(kHashSeed)));
        default:
            elog(ERROR, "no filter column can have type %u", type.type);
    }
}

bool has_related_types(const FilterType& type) {
    switch (type.type) {
        case INT2OID:
        case INT4OID:
        case INT8OID:
        case FLOAT4OID:
        case FLOAT8OID:
        case DATEOID:
        case TIMESTAMPOID:
        case TIMESTAMPTZOID:
            return true;
        default:
            return false;
    }
}

// Comparisons with other types convert dates, which only works for those that there are.
static constexpr DateADT kFirstDate = DATETIME_MIN_JULIAN - POSTGRES_EPOCH_JDATE;
static constexpr DateADT kLastDate = DATE_END_JULIAN - POSTGRES_EPOCH_JDATE - 1;

static DateADT nearest_date(int64 date) {
    if (date < kFirstDate) return DATEVAL_NOBEGIN;
    return date > kLastDate ? DATEVAL_NOEND : static_cast<DateADT>(date);
}

Datum value_of_filter(const FilterType& type, FilterValue number) {
    switch (type.type) {
        case INT2OID:
            return Int16GetDatum(static_cast<int16>(signed_of(number, type.width)));
        case INT4OID:
            return Int32GetDatum(static_cast<int32>(signed_of(number, type.width)));
        case INT8OID:
            return Int64GetDatum(signed_of(number, type.width));
        case DATEOID:
            return DateADTGetDatum(nearest_date(signed_of(number, type.width)));
        case TIMESTAMPOID:
        case TIMESTAMPTZOID:
            return TimestampGetDatum(signed_of(number, type.width));
        case FLOAT4OID: {
            const auto bits = static_cast<uint32>(float_bits_of(number, type.width));
            float4 value;
            memcpy(&value, &bits, sizeof value);
            return Float4GetDatum(value);
        }
        case FLOAT8OID: {
            const uint64 bits = float_bits_of(number, type.width);
            float8 value;
            memcpy(&value, &bits, sizeof value);
            return Float8GetDatum(value);
        }
        default:
            elog(ERROR, "no value of type %u is known by its number", type.type);
    }
}

FilterValue least_filter_value(const FilterType& type) {
    if (type.type == FLOAT4OID) return of_float4(-get_float4_infinity());
    if (type.type == FLOAT8OID) return of_float8(-get_float8_infinity());
    return 0;
}

FilterValue greatest_filter_value(const FilterType& type) { return all_ones(type.width); }

}  // namespace nphd
