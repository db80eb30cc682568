// ISCC texts: what can be read can be written, and means the same when it is read again.
#include <algorithm>
#include <cstring>
#include <vector>

#include "engine/iscc/iscc.hpp"
#include "test/fuzz/fuzz.hpp"

using namespace nphd;

static void require_reason(const iscc::Failure& failure, std::size_t size) {
    fuzz::require(failure.position <= size, "the place is one of the text");
    fuzz::require(failure.reason[0] != 0 && std::memchr(failure.reason.data(), 0, failure.reason.size()) != nullptr,
                  "there is a reason");
}

static iscc::Iscc read_again(const iscc::Text& text) {
    iscc::Iscc again;
    iscc::Failure failure;
    fuzz::require(text.size <= text.data.size(), "a text fits");
    fuzz::require(iscc::read(text.view(), &again, &failure), "what was written can be read");
    return again;
}

static void require_type(const iscc::Iscc& iscc) {
    iscc::Text type;
    iscc::Failure failure;
    fuzz::require(iscc::write_type(iscc, &type, &failure) && type.size > 0 && type.size <= type.data.size(),
                  "what can be written has a type");
}

/// Each unit alone, by its parts and by its text.
static void check_unit(const iscc::Unit& unit) {
    iscc::Iscc alone;
    iscc::Failure failure;
    iscc::Text text;
    alone.count = 1;
    fuzz::require(iscc::make_unit(unit.main_type, unit.subtype, unit.version, unit.body(), &alone.list[0], &failure),
                  "a unit can be made of its parts");
    fuzz::require(alone.list[0] == unit, "of which it then consists");
    fuzz::require(unit.subtype < iscc::subtype_names(unit.main_type, unit.version).size(), "its SubType has a name");
    fuzz::require(iscc::write(alone, &text, &failure), "a unit can be written");
    fuzz::require(read_again(text) == alone, "a unit is the same when it is read again");
    require_type(alone);
}

static void check_text(std::span<const char> exact) {
    iscc::Iscc iscc;
    iscc::Failure failure;
    if (!iscc::read({exact.data(), exact.size()}, &iscc, &failure)) {
        require_reason(failure, exact.size());
        return;
    }
    fuzz::require(iscc.count >= 1 && iscc.count <= iscc::kMaxUnits, "there are units");
    for (const iscc::Unit& unit : iscc.units()) check_unit(unit);
    iscc::Text text, second;
    if (!iscc::write(iscc, &text, &failure)) {
        fuzz::require(iscc.form == iscc::Form::sequence, "only a sequence may have no canonical text");
        require_reason(failure, 0);
        return;
    }
    fuzz::require(iscc::write(read_again(text), &second, &failure) && second.view() == text.view(),
                  "the canonical text is its own");
    require_type(iscc);
}

/// Any parts: a unit that holds them, or a reason.
static void check_parts(fuzz::Bytes input) {
    const std::uint8_t main_type = input.byte() % 8, subtype = input.byte(), version = input.byte();
    std::vector<std::uint8_t> body;
    while (!input.empty()) body.push_back(input.byte());
    iscc::Unit unit;
    iscc::Failure failure;
    if (iscc::make_unit(static_cast<iscc::MainType>(main_type), subtype, version, body, &unit, &failure))
        fuzz::require(std::ranges::equal(unit.body(), body), "the body is in it");
    else
        require_reason(failure, 0);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    // Of its exact size, so that a byte too many is noticed.
    const std::vector<char> exact(data, data + size);
    check_text(exact);
    check_parts({data, size});
    return 0;
}
