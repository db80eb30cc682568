#include "engine/code/binary_form.hpp"

namespace nphd {

BinaryForm read_binary(std::span<const std::uint8_t> message, std::int32_t most_bits) noexcept {
    if (message.size() < kBinaryHead) return {BinaryForm::too_short, 0, {}};
    std::uint32_t head = 0;
    for (std::size_t i = 0; i < kBinaryHead; ++i) head = head << 8 | message[i];
    const auto bits = static_cast<std::int32_t>(head);
    if (bits < 0 || bits > most_bits || bits % 8 != 0) return {BinaryForm::bad_length, bits, {}};
    const auto bytes = static_cast<std::size_t>(bits / 8);
    if (message.size() - kBinaryHead < bytes) return {BinaryForm::too_short, bits, {}};
    return {BinaryForm::none, bits, message.subspan(kBinaryHead, bytes)};
}

}  // namespace nphd
