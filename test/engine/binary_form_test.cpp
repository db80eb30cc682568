// The binary form of bitvec: its head, and where its bytes are.
#include "engine/code/binary_form.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace nphd::test {
namespace {

using Message = std::vector<std::uint8_t>;

TEST(BinaryForm, HasItsBytesBehindItsHead) {
    const Message message = {0, 0, 0, 16, 0xab, 0xcd, 0xef};
    const BinaryForm read = read_binary(message, 64);
    EXPECT_EQ(read.fault, BinaryForm::none);
    EXPECT_EQ(read.bits, 16);
    EXPECT_EQ(read.bytes.data(), message.data() + 4);
    EXPECT_EQ(read.bytes.size(), 2u);
    EXPECT_EQ(read_binary(Message{0, 0, 0, 0}, 64).fault, BinaryForm::none);
}

TEST(BinaryForm, IsTooShortWithoutThem) {
    for (const Message& message : {Message{}, Message{0, 0, 0}, Message{0, 0, 0, 16, 0xab}, Message{0, 0, 0, 8}})
        EXPECT_EQ(read_binary(message, 64).fault, BinaryForm::too_short) << message.size();
}

TEST(BinaryForm, HasALengthOfWholeBytesUpToTheMost) {
    const Message allowed = {0, 0, 0, 64, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    EXPECT_EQ(read_binary(allowed, 64).fault, BinaryForm::none);
    EXPECT_EQ(read_binary(allowed, 56).fault, BinaryForm::bad_length);
    EXPECT_EQ(read_binary(Message{0, 0, 0, 9, 1, 2}, 64).fault, BinaryForm::bad_length);
    const BinaryForm negative = read_binary(Message{0xff, 0xff, 0xff, 0xf8}, 64);
    EXPECT_EQ(negative.fault, BinaryForm::bad_length);
    EXPECT_EQ(negative.bits, -8);
    EXPECT_EQ(read_binary(Message{0x80, 0, 0, 0}, 64).fault, BinaryForm::bad_length);
}

}  // namespace
}  // namespace nphd::test
