// A refused input in an error message.
#pragma once

#include "src/pg.hpp"

namespace nphd {

/// Characters of a refused input that an error message repeats.
inline constexpr int kShownInput = 64;

/// The input itself, or its beginning cut between two characters.
inline const char* shown(const char* input) {
    const size_t length = strlen(input);
    if (length <= kShownInput) return input;
    return psprintf("%.*s...", pg_mbcliplen(input, kShownInput + 1, kShownInput), input);
}

/// Bytes of the character at `text`, which may be cut short.
inline int character_bytes(const char* text) {
    return static_cast<int>(Min(strlen(text), static_cast<size_t>(pg_mblen(text))));
}

}  // namespace nphd
