// The demo's text tool: hash, chunks, and what it prints.
#include "demo/simhash.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <random>
#include <string>

namespace {

using simhash::Code;

int differing_bits(const Code& a, const Code& b, std::size_t words) {
    int n = 0;
    for (std::size_t i = 0; i < words; ++i) n += std::popcount(a[i] ^ b[i]);
    return n;
}

std::string random_text(std::mt19937_64& random, int words) {
    std::string text;
    for (int i = 0; i < words; ++i) text += "word" + std::to_string(random() % 5000) + ' ';
    return text;
}

TEST(SimHash, HashOfAWordIsAKnownNumber) {
    // FNV-1a of "" and "a" are published constants.
    EXPECT_EQ(simhash::hash_word(""), simhash::mix(0xCBF29CE484222325u));
    EXPECT_EQ(simhash::hash_word("a"), simhash::mix(0xAF63DC4C8601EC8Cu));
    EXPECT_EQ(simhash::mix(0x9E3779B97F4A7C15u), 0xE220A8397B1DCDAFu);  // splitmix64's first output for seed 0
}

TEST(SimHash, MajorityIsThatOfPlainCounters) {
    constexpr std::uint64_t seed = 20260101;
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    for (int n : {1, 2, 3, 4, 17, 64, 255, 256, 1001}) {
        simhash::Majority majority;
        int set[64] = {};
        for (int i = 0; i < n; ++i) {
            // A quarter of the bits, then three quarters for even n: majorities of both kinds, and ties.
            const std::uint64_t quarter = random() & random();
            const std::uint64_t word = n % 2 == 0 && i >= n / 2 ? ~quarter : quarter;
            majority.add(word);
            for (int bit = 0; bit < 64; ++bit) set[bit] += static_cast<int>(word >> bit & 1);
        }
        for (int bit = 0; bit < 64; ++bit) {
            const bool expected = 2 * set[bit] > n || (2 * set[bit] == n && bit % 2 == 1);
            EXPECT_EQ((majority.result() >> bit & 1) != 0, expected) << n << " words, bit " << bit;
        }
    }
}

TEST(SimHash, TextWithoutWordsIsZero) {
    EXPECT_EQ(simhash::simhash(""), Code{});
    EXPECT_EQ(simhash::simhash(" -- ,.\n"), Code{});
}

TEST(SimHash, CaseAndPunctuationDoNotMatter) {
    EXPECT_EQ(simhash::simhash("Permission is hereby granted, free of charge."),
              simhash::simhash("permission IS HEREBY\n granted -- free (of charge)"));
}

TEST(SimHash, TheLongCodeBeginsWithTheShortOne) {
    const Code code = simhash::simhash("similar texts have similar codes");
    EXPECT_EQ(simhash::hex(code, 1).size(), 16u);
    EXPECT_EQ(simhash::hex(code, 4).size(), 64u);
    EXPECT_EQ(simhash::hex(code, 4).substr(0, 16), simhash::hex(code, 1));
}

TEST(SimHash, HexShowsTheHighestBitsFirst) {
    EXPECT_EQ(simhash::hex(Code{0x0123456789ABCDEFu, 1, 2, 0xF000000000000000u}, 4),
              "0123456789abcdef00000000000000010000000000000002f000000000000000");
}

TEST(SimHash, AlikeTextsAreNearAndOthersFar) {
    constexpr std::uint64_t seed = 7;
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    for (int round = 0; round < 20; ++round) {
        const std::string text = random_text(random, 100);
        const Code code = simhash::simhash(text);
        const Code edited = simhash::simhash(text + random_text(random, 5));
        const Code other = simhash::simhash(random_text(random, 100));
        EXPECT_LT(differing_bits(code, edited, 4), 50);
        EXPECT_GT(differing_bits(code, other, 4), 90);  // 128 expected, standard deviation 8
        EXPECT_LT(differing_bits(code, edited, 1), differing_bits(code, other, 1));
    }
}

TEST(SimHash, MoreWordsThanTheCountersHoldAreLeftOut) {
    const auto text = [](int words) {
        std::string out;
        for (int i = 0; i < words; ++i) out += "word" + std::to_string(i) + ' ';
        return out;
    };
    EXPECT_EQ(simhash::simhash(text(50000)), simhash::simhash(text(50000) + text(1000)));
}

TEST(Chunks, AreTheWholeTextInOrder) {
    constexpr std::uint64_t seed = 11;
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    static constexpr char letters[] = "aaaabcdefg   ..\n\n";
    for (int round = 0; round < 200; ++round) {
        std::string text(random() % 5000, ' ');
        for (char& c : text) c = letters[random() % (sizeof letters - 1)];
        std::string visible, together;
        for (const char c : text)
            if (!simhash::is_space(c)) visible += c;
        for (const std::string_view chunk : simhash::chunks(text)) {
            ASSERT_FALSE(chunk.empty());
            ASSERT_LE(chunk.size(), simhash::kLongChunk);
            ASSERT_FALSE(simhash::is_space(chunk.front()) || simhash::is_space(chunk.back()));
            for (const char c : chunk)
                if (!simhash::is_space(c)) together += c;
        }
        ASSERT_EQ(together, visible);
    }
}

TEST(Chunks, EndAtParagraphsBeforeSentencesBeforeLinesBeforeWords) {
    const auto first_size = [](const std::string& text) { return simhash::chunks(text).front().size(); };
    const std::string body(500, 'x'), rest(1000, 'y');
    EXPECT_EQ(first_size(body + ".\n\n" + "zz zz. zz\nzz " + rest), 501u);
    EXPECT_EQ(first_size(body + ". zz\nzz zz" + rest), 501u);
    EXPECT_EQ(first_size(body + "\nzz zz" + rest), 500u);
    EXPECT_EQ(first_size(body + " zz" + rest), 500u);
    EXPECT_EQ(first_size(body + rest), simhash::kLongChunk);
    EXPECT_EQ(first_size("short. \n\n text"), 14u);
}

TEST(Chunks, OfNothingAreNone) {
    EXPECT_TRUE(simhash::chunks("").empty());
    EXPECT_TRUE(simhash::chunks(" \n\t ").empty());
}

TEST(Excerpt, IsOneLineOfPrintableUtf8) {
    EXPECT_EQ(simhash::excerpt("  two\n\n  lines\t", 80), "two lines");
    EXPECT_EQ(simhash::excerpt("abcdef", 3), "abc");
    EXPECT_EQ(simhash::excerpt("ab cdef", 3), "ab");
    EXPECT_EQ(simhash::excerpt("na\xC3\xAFve \xE2\x82\xAC", 7), "na\xC3\xAFve \xE2\x82\xAC");
    EXPECT_EQ(simhash::excerpt("na\xC3\xAFve", 3), "na\xC3\xAF");
    EXPECT_EQ(simhash::excerpt("latin \xE9t\xE9", 80), "latin ?t?");
    EXPECT_EQ(simhash::excerpt("bell\a escape\x1B[0m", 80), "bell? escape?[0m");
    EXPECT_EQ(simhash::excerpt("cut \xE2\x82", 80), "cut ??");
}

TEST(Excerpt, RefusesWhatPostgresRefuses) {
    for (const char* bad : {"\xC0\x80", "\xC1\xBF", "\xE0\x80\x80", "\xED\xA0\x80", "\xF0\x80\x80\x80",
                            "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\x80", "\xFF"})
        EXPECT_EQ(simhash::utf8_length(bad, 0), 0u) << bad;
    EXPECT_EQ(simhash::utf8_length("\xF4\x8F\xBF\xBF", 0), 4u);
    EXPECT_EQ(simhash::utf8_length("\xED\x9F\xBF", 0), 3u);
}

TEST(CopyField, EscapesWhatCopyWouldTakeForItsOwn) {
    EXPECT_EQ(simhash::copy_field("a\\N\tb\r\n."), "a\\\\N\\tb\\r\\n.");
    EXPECT_EQ(simhash::copy_field("plain"), "plain");
}

TEST(LooksLikeText, TellsTextFromPrograms) {
    EXPECT_TRUE(simhash::looks_like_text("some text\n\twith tabs\n"));
    EXPECT_FALSE(simhash::looks_like_text(""));
    EXPECT_FALSE(
        simhash::looks_like_text(std::string_view("\x7F"
                                                  "ELF\0\1",
                                                  6)));
    EXPECT_FALSE(simhash::looks_like_text("\1\2\3\4 binary"));
}

}  // namespace
