// The binary form of bitvec: every message is read as arithmetic over its head says, and never past its end.
#include <algorithm>
#include <vector>

#include "engine/code/binary_form.hpp"
#include "test/fuzz/fuzz.hpp"

using namespace nphd;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static constexpr std::int32_t kMostBits = 65528;
    // Of its exact size, so that a byte too many is noticed.
    const std::vector<std::uint8_t> message(data, data + size);
    const BinaryForm read = read_binary(message, kMostBits);

    if (size < 4) {
        fuzz::require(read.fault == BinaryForm::too_short, "a message without a head is too short");
        return 0;
    }
    const std::int64_t bits = std::int64_t{message[0]} * 16777216 + message[1] * 65536 + message[2] * 256 + message[3];
    const bool allowed = bits <= kMostBits && bits % 8 == 0;
    fuzz::require((read.fault == BinaryForm::bad_length) == !allowed, "a length is bad if it is none of whole bytes");
    if (!allowed) return 0;
    const bool complete = static_cast<std::int64_t>(size) - 4 >= bits / 8;
    fuzz::require(read.fault == (complete ? BinaryForm::none : BinaryForm::too_short), "all bytes are there, or none");
    if (!complete) return 0;
    fuzz::require(read.bits == bits && std::ranges::equal(read.bytes, std::span(message).subspan(4, bits / 8)),
                  "the bytes are those behind the head");
    return 0;
}
