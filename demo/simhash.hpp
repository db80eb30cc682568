// Text to similarity codes: what the demo's tool is made of. Nothing here knows of files or of a database.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace simhash {

/// 256 bits whose first 64 are a code of their own: nearness of prefixes is nearness of texts, only coarser.
using Code = std::array<std::uint64_t, 4>;

/// Bits in, bits out: the finaliser of splitmix64.
constexpr std::uint64_t mix(std::uint64_t x) noexcept {
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

/// FNV-1a, whose high bits are poor for short words, and therefore mixed.
constexpr std::uint64_t hash_word(std::string_view word) noexcept {
    std::uint64_t h = 0xCBF29CE484222325u;
    for (const char c : word) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001B3u;
    return mix(h);
}

/// For each of 64 bit positions: is it set in more than half of the added words? The counters are kept bit-sliced,
/// plane k holding bit k of all 64 of them, so that adding a word costs two operations on average. At most 65,535
/// words.
class Majority {
public:
    static constexpr std::uint32_t kMost = 65535;

    void add(std::uint64_t word) noexcept {
        ++count_;
        for (std::uint64_t& plane : planes_) {
            const std::uint64_t carry = plane & word;
            plane ^= word;
            word = carry;
            if (word == 0) break;
        }
    }

    std::uint32_t count() const noexcept { return count_; }

    /// A tie falls on a fixed side, so that it falls on the same one for similar texts.
    std::uint64_t result() const noexcept {
        std::uint64_t more = 0, same = ~std::uint64_t{0};
        for (std::size_t k = planes_.size(); k-- > 0;) {
            const std::uint64_t half = (count_ / 2 >> k & 1) != 0 ? ~std::uint64_t{0} : 0;
            more |= same & planes_[k] & ~half;
            same &= ~(planes_[k] ^ half);
        }
        return count_ % 2 != 0 ? more : more | (same & 0xAAAAAAAAAAAAAAAAu);
    }

private:
    std::array<std::uint64_t, 16> planes_{};
    std::uint32_t count_ = 0;
};

/// Calls use(word) for each run of letters, digits and bytes beyond ASCII, letters in lower case.
template <class Use>
void for_each_word(std::string_view text, Use&& use) {
    std::string word;
    for (std::size_t i = 0; i <= text.size(); ++i) {
        const auto c = i < text.size() ? static_cast<unsigned char>(text[i]) : static_cast<unsigned char>(' ');
        if (c >= 'A' && c <= 'Z')
            word.push_back(static_cast<char>(c - 'A' + 'a'));
        else if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c >= 0x80)
            word.push_back(static_cast<char>(c));
        else if (!word.empty()) {
            use(std::string_view(word));
            word.clear();
        }
    }
}

/// SimHash (Charikar 2002) over words of four letters and more and over pairs of neighbouring words: codes of texts
/// that share many of them differ in few bits. A text without words gives 0. Reads as much of the text as Majority can
/// count.
inline Code simhash(std::string_view text) {
    std::array<Majority, 4> votes;
    const auto add = [&](std::uint64_t feature) {
        for (std::size_t i = 0; i < votes.size(); ++i) votes[i].add(mix(feature + (i + 1) * 0x9E3779B97F4A7C15u));
    };
    std::uint64_t before = 0;
    for_each_word(text, [&](std::string_view word) {
        if (votes[0].count() + 2 > Majority::kMost) return;
        const std::uint64_t h = hash_word(word);
        if (word.size() >= 4) add(h);
        if (before != 0) add(mix(before) ^ h);
        before = h;
    });
    Code code{};
    if (votes[0].count() != 0)
        for (std::size_t i = 0; i < code.size(); ++i) code[i] = votes[i].result();
    return code;
}

/// The first `words` of a code as hexadecimal digits.
inline std::string hex(const Code& code, std::size_t words) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string out;
    out.reserve(words * 16);
    for (std::size_t w = 0; w < words; ++w)
        for (int shift = 60; shift >= 0; shift -= 4) out.push_back(digits[code[w] >> shift & 15]);
    return out;
}

inline constexpr std::size_t kShortChunk = 400;
inline constexpr std::size_t kLongChunk = 800;

inline bool is_space(char c) noexcept { return c == ' ' || (c >= '\t' && c <= '\r'); }

/// Where the chunk that begins at `from` ends: the end of the text if it is near, else after the last paragraph,
/// sentence, line or word (whichever there is, in this order) that leaves a chunk of kShortChunk .. kLongChunk bytes.
inline std::size_t chunk_end(std::string_view text, std::size_t from) noexcept {
    const std::size_t limit = from + kLongChunk;
    if (limit >= text.size()) return text.size();
    std::size_t sentence = 0, line = 0, word = 0;
    for (std::size_t i = limit; i > from + kShortChunk; --i) {
        const char last = text[i - 1], next = text[i];
        if (last == '\n' && next == '\n') return i;
        if (sentence == 0 && is_space(next) && (last == '.' || last == '!' || last == '?')) sentence = i;
        if (line == 0 && last == '\n') line = i;
        if (word == 0 && is_space(last)) word = i;
    }
    for (const std::size_t end : {sentence, line, word})
        if (end != 0) return end;
    return limit;
}

/// Cuts a text into consecutive chunks that together are the whole of it, white space around them aside. A chunk has at
/// most kLongChunk bytes; the last one may be short.
inline std::vector<std::string_view> chunks(std::string_view text) {
    std::vector<std::string_view> out;
    for (std::size_t from = 0; from < text.size();) {
        if (is_space(text[from])) {
            ++from;
            continue;
        }
        const std::size_t end = chunk_end(text, from);
        std::string_view chunk = text.substr(from, end - from);
        while (is_space(chunk.back())) chunk.remove_suffix(1);
        out.push_back(chunk);
        from = end;
    }
    return out;
}

/// The number of bytes of the valid UTF-8 sequence at text[at], at < text.size(); 0 when there is none.
inline std::size_t utf8_length(std::string_view text, std::size_t at) noexcept {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[at + i]); };
    const unsigned char lead = byte(0);
    if (lead < 0x80) return 1;
    const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (lead < 0xC2 || lead > 0xF4 || at + length > text.size()) return 0;
    for (std::size_t i = 1; i < length; ++i)
        if ((byte(i) & 0xC0) != 0x80) return 0;
    // Overlong forms, surrogates and what lies beyond U+10FFFF show in the second byte.
    const bool wrong = (lead == 0xE0 && byte(1) < 0xA0) || (lead == 0xED && byte(1) > 0x9F) ||
                       (lead == 0xF0 && byte(1) < 0x90) || (lead == 0xF4 && byte(1) > 0x8F);
    return wrong ? 0 : length;
}

/// The first `characters` characters on one line, white space collapsed, as valid UTF-8 ('?' for what is not) that can
/// be printed.
inline std::string excerpt(std::string_view text, std::size_t characters) {
    std::string out;
    bool space = false;
    for (std::size_t at = 0, n = 0; at < text.size();) {
        if (is_space(text[at])) {
            space = !out.empty();
            ++at;
            continue;
        }
        if (n + (space ? 1 : 0) >= characters) break;
        if (space) out.push_back(' ');
        n += space ? 2 : 1;
        space = false;
        const std::size_t length = utf8_length(text, at);
        const bool control = static_cast<unsigned char>(text[at]) < 0x20 || text[at] == 0x7F;
        if (length == 0 || control)
            out.push_back('?');
        else
            out.append(text.substr(at, length));
        at += length == 0 ? 1 : length;
    }
    return out;
}

/// A field of COPY's text format.
inline std::string copy_field(std::string_view value) {
    std::string out;
    out.reserve(value.size());
    for (const char c : value) {
        switch (c) {
            case '\\':
                out += "\\\\";
                break;
            case '\t':
                out += "\\t";
                break;
            case '\n':
                out += "\\n";
                break;
            case '\r':
                out += "\\r";
                break;
            default:
                out.push_back(c);
        }
    }
    return out;
}

/// Text has no NUL and next to no control characters; 8 KB of it are enough to tell.
inline bool looks_like_text(std::string_view data) noexcept {
    const std::string_view head = data.substr(0, 8192);
    std::size_t control = 0;
    for (const char c : head) {
        if (c == 0) return false;
        if (static_cast<unsigned char>(c) < 0x20 && !is_space(c)) ++control;
    }
    return !head.empty() && control * 100 <= head.size();
}

}  // namespace simhash
