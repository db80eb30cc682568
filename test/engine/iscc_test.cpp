// ISCC texts against the vectors that iscc-core publishes, and random and damaged texts against a second, plain reading
// of the rules.
#include "engine/iscc/iscc.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <initializer_list>
#include <random>
#include <string>
#include <vector>

namespace nphd::iscc {
namespace {

using ByteVector = std::vector<std::uint8_t>;

/// New with every run; NPHD_TEST_SEED repeats one.
std::uint32_t test_seed() {
    const char* const given = std::getenv("NPHD_TEST_SEED");
    return given != nullptr ? static_cast<std::uint32_t>(std::strtoul(given, nullptr, 10)) : std::random_device{}();
}

std::string hex(std::span<const std::uint8_t> bytes) {
    std::string digits;
    for (const std::uint8_t byte : bytes) {
        digits += "0123456789abcdef"[byte >> 4];
        digits += "0123456789abcdef"[byte & 15];
    }
    return digits;
}

std::string failure_text(const Failure& failure) {
    return (failure.position > 0 ? std::to_string(failure.position) + " " : "") + failure.reason.data();
}

/// The units of a text as TYPE:BITS:BODY, each followed by a space; or why there are none.
std::string units_of(std::string_view text) {
    Iscc iscc;
    Failure failure;
    if (!read(text, &iscc, &failure)) return failure_text(failure);
    std::string units;
    for (const Unit& unit : iscc.units()) {
        Text type;
        write_type(unit, &type);
        units += std::string(type.view()) + ":" + std::to_string(8 * unit.bytes) + ":" + hex(unit.body()) + " ";
    }
    return units;
}

std::string normal_form(std::string_view text) {
    Iscc iscc;
    Failure failure;
    Text out;
    if (!read(text, &iscc, &failure) || !write(iscc, &out, &failure)) return failure_text(failure);
    return std::string(out.view());
}

std::string type_of(std::string_view text) {
    Iscc iscc;
    Failure failure;
    Text out;
    if (!read(text, &iscc, &failure) || !write_type(iscc, &out, &failure)) return failure_text(failure);
    return std::string(out.view());
}

TEST(Iscc, PublishedUnitsHaveTheirPublishedBodies) {
    const std::pair<const char*, const char*> vectors[] = {
        {"AAAZXZ6OU74YAZIM", "META_NONE_V0:64:9be7cea7f980650c "},
        {"AABJXZ6OU4E45RB57GAGKDA", "META_NONE_V0:96:9be7cea709cec43df980650c "},
        {"AACJXZ6OU4E45RB57GAGKDGHZXV752RFK42Q", "META_NONE_V0:160:9be7cea709cec43df980650cc7cdebfeea255735 "},
        {"AACZXZ6OU4E45RB57GAGKDGHZXV752RFK424V76TRU",
         "META_NONE_V0:192:9be7cea709cec43df980650cc7cdebfeea255735caffd38d "},
        {"AADZXZ6OU4E45RB57GAGKDGHZXV752RFK424V76TRVZ2TKS2K6X5VVA",
         "META_NONE_V0:256:9be7cea709cec43df980650cc7cdebfeea255735caffd38d73a9aa5a57afdad4 "},
        {"EAASKDNZNYGUUF5A", "CONTENT_TEXT_V0:64:250db96e0d4a17a0 "},
        {"EADSKDNZNYGUUF5AMFEJLZ5P66CP5YKCOA3X7F36RWE4CIRCBTUWXYY",
         "CONTENT_TEXT_V0:256:250db96e0d4a17a0614895e7aff784fee14270377f977e8d89c122220ce96be3 "},
        {"EABZHFKU6PNI7UVWYEEIQLOYHYLX6", "CONTENT_TEXT_V0:128:939554f3da8fd2b6c108882dd83e177f "},
        {"EED4GQZQTY6J5DTHQ2DWCPDZHQOM6QZQTY6J5DTFZ2DWCPDZHQOMXDI",
         "CONTENT_IMAGE_V0:256:c343309e3c9e8e678687613c793c1ccf43309e3c9e8e65ce87613c793c1ccb8d "},
        {"EIDWUJFCEZZOJYVDHJHIRB3KQSQCM2REUITDUTVAQNRGJIRENCCCULY",
         "CONTENT_AUDIO_V0:256:6a24a22672e4e2a33a4e88876a84a0266a24a2263a4ea0836264a22468842a2f "},
        {"EMBZEMGSDFIB4AHUEZSLJPJANMAAY", "CONTENT_VIDEO_V0:128:9230d219501e00f42664b4bd206b000c "},
        {"EQBSBXXOMP6SZ2VX6DXG332JFUX76", "CONTENT_MIXED_V0:128:20deee63fd2ceab7f0ee6def492d2fff "},
        {"GABXOD4P2IS6YHS2XOK6IBVPVXPPG", "DATA_NONE_V0:128:770f8fd225ec1e5abb95e406afaddef3 "},
        {"IAD66JNRTSKU5FLU2L7POWZNQTYKDOYQRGQJLJ24E5DWM7MPWYAPH7Q",
         "INSTANCE_NONE_V0:256:ef25b19c954e9574d2fef75b2d84f0a1bb1089a095a75c2747667d8fb600f3fe "},
        {"AAAQCAAAAABAAAAA", "META_NONE_V0:64:0100000002000000 "},
        {"MEAAO5JRN22FN2M2", "ID_BITCOIN_V0:64:0775316eb456e99a "},
        {"MAASAJINXFXA2SQXAE", "ID_PRIVATE_V0:72:20250db96e0d4a1701 "},
    };
    for (const auto& [text, units] : vectors) {
        EXPECT_EQ(units_of(text), units) << text;
        EXPECT_EQ(normal_form(text), "ISCC:" + std::string(text));
        EXPECT_EQ(std::string(units).rfind(type_of(text) + ":", 0), 0u) << text;
    }
}

TEST(Iscc, PublishedCodesComeApartIntoTheirUnits) {
    const struct {
        const char *text, *type, *units;
    } vectors[] = {
        {"KACYPXW445FTYNJ3CYSXHAFJMA2HUWULUNRFE3BLHRSCXYH2M5AEGQY", "ISCC_TEXT_V0",
         "META_NONE_V0:64:87dedce74b3c353b CONTENT_TEXT_V0:64:16257380a960347a DATA_NONE_V0:64:5a8ba362526c2b3c "
         "INSTANCE_NONE_V0:64:642be0fa67404343 "},
        {"KAARMJLTQCUWAND2LKF2GYSSNQVTYZBL4D5GOQCDIM", "ISCC_TEXT_V0",
         "CONTENT_TEXT_V0:64:16257380a960347a DATA_NONE_V0:64:5a8ba362526c2b3c INSTANCE_NONE_V0:64:642be0fa67404343 "},
        {"KUAFVC5DMJJGYKZ4MQV6B6THIBBUG", "ISCC_SUM_V0",
         "DATA_NONE_V0:64:5a8ba362526c2b3c INSTANCE_NONE_V0:64:642be0fa67404343 "},
        {"KICQOCPJM46YUUCBMWS6FFXRGM3LJOU5MZOVPOUHIJOHPI324GKN67Q", "ISCC_AUDIO_V0",
         "META_NONE_V0:64:0709e9673d8a5041 CONTENT_AUDIO_V0:64:65a5e296f13336b4 DATA_NONE_V0:64:ba9d665d57ba8742 "
         "INSTANCE_NONE_V0:64:5c77a37ae194df7e "},
        {"KMD54GZXFLJ7X5D2PZNR4744UVEZ2ACK4VC2AELL4WVQYFUBZD4OHUGTFEFEZNOTFMLA", "ISCC_VIDEO_V0",
         "META_NONE_V0:64:de1b372ad3fbf47a SEMANTIC_VIDEO_V0:64:7e5b1e7f9ca5499d CONTENT_VIDEO_V0:64:004ae545a0116be5 "
         "DATA_NONE_V0:64:ab0c1681c8f8e3d0 INSTANCE_NONE_V0:64:d3290a4cb5d32b16 "},
        {"KEDJCSDCJ7VMDQKPGDU4LTAQD66MZXWXGPULIIPK5NJUBF6KXLZYS6Q", "ISCC_IMAGE_V0",
         "META_NONE_V0:64:9148624feac1c14f SEMANTIC_IMAGE_V0:64:30e9c5cc101fbccc DATA_NONE_V0:64:ded733e8b421eaeb "
         "INSTANCE_NONE_V0:64:534097cabaf3897a "},
        {"KYCE2K455MN6WNYRD7ZZQSNU4E2X33AYR355BAHGNY", "ISCC_NONE_V0",
         "META_NONE_V0:64:4d2b9deb1beb3711 DATA_NONE_V0:64:1ff39849b4e1357d INSTANCE_NONE_V0:64:ec188efbd080e66e "},
        {"K4AP5Q74YXNZC4EKRCQEKOXKMYHCJV2JQHX2OCQMRAFY3DAZQXIHLWY", "ISCC_WIDE_V0",
         "DATA_NONE_V0:128:fec3fcc5db91708a88a0453aea660e24 INSTANCE_NONE_V0:128:d74981efa70a0c880b8d8c1985d075db "},
    };
    for (const auto& [text, type, units] : vectors) {
        EXPECT_EQ(units_of(text), units) << text;
        EXPECT_EQ(type_of(text), type) << text;
        EXPECT_EQ(normal_form(text), "ISCC:" + std::string(text));
    }
}

TEST(Iscc, NormalFormIsThatOfTheReference) {
    const std::pair<const char*, const char*> vectors[] = {
        {"aaattzckvh3s42tp", "ISCC:AAATTZCKVH3S42TP"},
        {"AaAtTzckVh3s42tP", "ISCC:AAATTZCKVH3S42TP"},
        {"Iscc:Maagztfqttvizpjr", "ISCC:MAAGZTFQTTVIZPJR"},
        {" ISCC: MAAG-ZTFQ-TTVI-ZPJR\n", "ISCC:MAAGZTFQTTVIZPJR"},
        {"GAAW2PRCRS5LNVZVIAAUVACQKXE3V44W", "ISCC:KUAG2PRCRS5LNVZVJKAFAVOJXLZZM"},
        {"GAAW2PRCRS5LNVZV-IAAUVACQKXE3V44W", "ISCC:KUAG2PRCRS5LNVZVJKAFAVOJXLZZM"},
        {"IAAUVACQKXE3V44W-GAAW2PRCRS5LNVZV", "ISCC:KUAG2PRCRS5LNVZVJKAFAVOJXLZZM"},
        {"ISCC:EMAZQGH26X5XQ5HA-GAA5U77EOAU2NU4Y-IAAU4SKRQCZZEYQD", "ISCC:KMAZQGH26X5XQ5HA3J76I4BJU3JZQTSJKGALHETCAM"},
        // Multibase: hexadecimal, base32, base32hex, base58btc and base64url of one and of other codes.
        {"fcc0120016c017dac75fe4613", "ISCC:EAAWYAL5VR274RQT"},
        {"fCC0120016C017DAC75FE4613", "ISCC:EAAWYAL5VR274RQT"},
        {"bzqasaalmaf62y5p6iyjq", "ISCC:EAAWYAL5VR274RQT"},
        {"z4rHXCkYCB2k4V7uuk", "ISCC:EAAWYAL5VR274RQT"},
        {"uzAEgAWwBfax1_kYT", "ISCC:EAAWYAL5VR274RQT"},
        {"vpg0i00b2jtnrtm1c0v6g", "ISCC:EAAWFH3PX3MCYB6N"},
        {"iscc:vpg0i00b2jtnrtm1c0v6g", "ISCC:EAAWFH3PX3MCYB6N"},
        {"fcc0100013554e7d8be570019", "ISCC:AAATKVHH3C7FOAAZ"},
        {"bzqaqaaifk7t7vp2wacfq", "ISCC:AAAQKV7H7K7VMAEL"},
        {"z4rHVQUrFdpfYWuGLa", "ISCC:AAA2O57HTG7HMCO3"},
        {"uzAEAAYk3fwidpe3f", "ISCC:AAAYSN37BCO2L3O7"},
        // Spare bits of the last digit are ignored (256 bits, so one bit of the last digit counts).
        {"AADZXZ6OU4E45RB57GAGKDGHZXV752RFK424V76TRVZ2TKS2K6X5VVH",
         "ISCC:AADZXZ6OU4E45RB57GAGKDGHZXV752RFK424V76TRVZ2TKS2K6X5VVA"},
        // A composite of META, DATA and INSTANCE has no media type, and one of DATA and INSTANCE is a SUM.
        {"KECHFLRCISFQCY6BZWOSW7JEPKBTH55QW7JM3KAFNQ", "ISCC:KYCHFLRCISFQCY6BZWOSW7JEPKBTH55QW7JM3KAFNQ"},
        {"KAAFVC5DMJJGYKZ4MQV6B6THIBBUG", "ISCC:KUAFVC5DMJJGYKZ4MQV6B6THIBBUG"},
    };
    for (const auto& [text, expected] : vectors) EXPECT_EQ(normal_form(text), expected) << text;
}

TEST(Iscc, WhatIsNotOneIsRefusedWithTheReason) {
    const std::pair<std::string, const char*> vectors[] = {
        {"", "There is nothing to read"},
        {" ISCC: ", "There is nothing to read"},
        {"http://whatever", "5 is not a base32 digit"},
        {"ISCC:something:something", "15 is not a base32 digit"},
        {"AAAZXZ6OU74YAZI1", "16 is not a base32 digit"},
        {"ISCC:AAAZXZ6OU74YAZIM=", "22 is not a base32 digit"},
        {"AAAZ XZ6OU74YAZIM", "5 is not a base32 digit"},
        {"A-AAZXZ6OU74YAZIM", "2 is not a base32 digit"},
        {"-AAAZXZ6OU74YAZIM", "1 is not a base32 digit"},
        {"AAAZXZ6OU74YAZ\xC3\xB6", "15 is not a base32 digit"},
        {std::string("AAAZXZ6OU74YAZIM\0", 17), "17 is not a base32 digit"},
        {"AAAZXZ6OU74YAZIMA", "17 base32 digits are no whole number of bytes"},
        {"KACT4EBWK27737D2AYCJRAL5Z36G76RFRMO4554RU26HZ4ORJGIVHD", "54 base32 digits are no whole number of bytes"},
        {"KACT4EBWK27737D2AYCJRAL5Z36G76RFRMO4554RU26HZ", "The header wants a body of 32 bytes, there are 26"},
        {"AAAZXZ6OU74YAZIMAA", "After the body of unit 1 there are 1 bytes that are no further unit"},
        {"KUAFVC5DMJJGYKZ4MQV6B6THIBBUGAA", "The body of the ISCC-CODE is too long by 1 bytes"},
        {"ISCC:LA22222222", "The header 5835 has a number above 7"},
        {"fcc0101010123456789abcdef", "MainType META has no SubType 1"},
        {"ISCC:CE22222222", "There is no version 3 of MainType SEMANTIC"},
        {"QAAZXZ6OU74YAZIM", "The header 8001 has a number above 7"},
        {"fcc0100089be7cea7f980650c", "The header 0008 has a number above 7"},
        {"fccff20016c017dac75fe4613", "The multibase text does not begin with the multicodec cc01 of an ISCC"},
        {"fcc", "The multibase text does not begin with the multicodec cc01 of an ISCC"},
        {"z11", "The multibase text does not begin with the multicodec cc01 of an ISCC"},
        {"fcc01", "There is no header"},
        {"fcc0120", "A header has 2 bytes, there is 1"},
        {"fcc0120016c017dac75fe461", "23 hexadecimal digits are no whole number of bytes"},
        {"z4rHXCkYCB2k4V7uu0", "18 is not a base58 digit"},
        {"uzAEgAWwBfax1/kYT", "14 is not a base64url digit"},
        {"vpg0i00b2jtnrtm1c0v6h", "The last base32hex digit has bits that belong to no byte"},
        // Lengths and combinations that the header can say and no ISCC has.
        {"fcc0160030000000000000000000000", "MainType ID with SubType 0 has no Length 3"},
        {"fcc01601100000000000000000000", "MainType ID with SubType 0 has no Length 1"},
        {"fcc0162100000000000000000", "MainType ID has no SubType 2"},
        {"fcc01570100000000000000000000000000000000", "MainType ISCC with SubType 7 has no Length 1"},
        {"fcc01550100000000000000000000000000000000", "MainType ISCC with SubType 5 has no Length 1"},
        {"fcc01560200000000000000000000000000000000", "MainType ISCC with SubType 6 has no Length 2"},
        {std::string(1000, 'A'), "The text stands for more than the 176 bytes that an ISCC can have"},
        {std::string("z").append(1000, 'Z'), "The text stands for more than the 176 bytes that an ISCC can have"},
        {std::string("z").append(1000, '1'), "The text stands for more than the 176 bytes that an ISCC can have"},
        {std::string(8 * 12, 'A'), "After the body of unit 5 there are 30 bytes that are no further unit"},
        {"AAAZXZ6OU74YAZIM-KUAFVC5DMJJGYKZ4MQV6B6THIBBUG",
         "After the body of unit 1 there are 18 bytes that are no further unit"},
    };
    for (const auto& [text, reason] : vectors) EXPECT_EQ(units_of(text), reason) << text;
}

TEST(Iscc, ASequenceThatMakesNoCodeHasUnitsAndNoNormalForm) {
    const std::string meta = "AAAZXZ6OU74YAZIM", text = "EAASKDNZNYGUUF5A", image = "EEAQAAAAAAAAAAAA";
    const std::string data = "GAAW2PRCRS5LNVZV", instance = "IAAUVACQKXE3V44W", semantic_text = "CAASKDNZNYGUUF5A";
    const char* const lacking =
        "The units of an ISCC-CODE are one DATA, one INSTANCE, and at most one each of META, SEMANTIC and CONTENT";
    const std::pair<std::string, const char*> vectors[] = {
        {meta + text, lacking},
        {data + data, lacking},
        {data + instance + "MAAGZTFQTTVIZPJR", lacking},
        {meta + meta + data + instance, "There is more than one unit of MainType META"},
        {data + data + instance, "There is more than one unit of MainType DATA"},
        {semantic_text + image + data + instance, "SEMANTIC and CONTENT of an ISCC-CODE have one SubType"},
    };
    for (const auto& [sequence, reason] : vectors) {
        EXPECT_EQ(normal_form(sequence), reason) << sequence;
        EXPECT_EQ(type_of(sequence), reason) << sequence;
        EXPECT_NE(units_of(sequence).find(":64:"), std::string::npos) << sequence;
    }
    EXPECT_EQ(normal_form(instance + data + text + semantic_text + meta).substr(0, 7), "ISCC:KA");

    Iscc short_unit;
    Failure failure;
    Text out;
    const std::string short_data = "fcc0130000102030440010102030405060708";
    ASSERT_TRUE(read(short_data, &short_unit, &failure));
    EXPECT_FALSE(write(short_unit, &out, &failure));
    EXPECT_STREQ(failure.reason.data(), "A unit of an ISCC-CODE has 64 bits or more, that of MainType DATA has 32");
}

std::string made(MainType main_type, std::uint8_t subtype, std::uint8_t version, std::size_t bytes) {
    ByteVector body(bytes);
    for (std::size_t i = 0; i < bytes; ++i) body[i] = static_cast<std::uint8_t>(7 * i + 1);
    Iscc iscc;
    Failure failure;
    Text out;
    if (!make_unit(main_type, subtype, version, body, &iscc.list[0], &failure)) return failure_text(failure);
    iscc.count = 1;
    EXPECT_TRUE(write(iscc, &out, &failure));
    Iscc again;
    EXPECT_TRUE(read(out.view(), &again, &failure)) << out.view() << ": " << failure.reason.data();
    EXPECT_EQ(again, iscc);
    return std::string(out.view());
}

TEST(Iscc, EveryUnitThatThereIsComesBack) {
    for (unsigned main_type = 0; main_type < 8; ++main_type)
        for (unsigned version = 0; version < 3; ++version)
            for (unsigned subtype = 0; subtype < 10; ++subtype)
                for (std::size_t bytes = 0; bytes <= 40; ++bytes) {
                    const auto type = static_cast<MainType>(main_type);
                    const bool media = type == MainType::semantic || type == MainType::content;
                    const bool id = type == MainType::id;
                    const unsigned subtypes = media ? 5 : id ? (version == 0 ? 4 : 2) : 1;
                    const bool length = !id           ? bytes >= 4 && bytes <= 32 && bytes % 4 == 0
                                        : version > 0 ? bytes == 8
                                                      : bytes == 8 || bytes == 9 || bytes == 10 || bytes == 12;
                    const bool exists =
                        type != MainType::iscc && version < (id ? 2u : 1u) && subtype < subtypes && length;
                    const std::string text =
                        made(type, static_cast<std::uint8_t>(subtype), static_cast<std::uint8_t>(version), bytes);
                    EXPECT_EQ(text.rfind("ISCC:", 0) == 0, exists)
                        << text << " " << main_type << " " << subtype << " " << version << " " << bytes;
                }
    EXPECT_EQ(made(MainType::iscc, 0, 0, 8), "An ISCC-CODE is not a unit, it is made of units");
    EXPECT_EQ(made(MainType::data, 0, 1, 8), "There is no version 1 of MainType DATA");
    EXPECT_EQ(made(MainType::data, 3, 0, 8), "MainType DATA has no SubType 3");
    EXPECT_EQ(made(MainType::data, 0, 0, 5), "A unit of MainType DATA and version 0 has no 40 bits");
    EXPECT_EQ(made(MainType::data, 0, 0, 36), "A unit of MainType DATA and version 0 has no 288 bits");
}

TEST(Iscc, NamesAreThoseOfTheStandard) {
    EXPECT_EQ(main_type_named("content"), MainType::content);
    EXPECT_EQ(main_type_named("Iscc"), MainType::iscc);
    EXPECT_EQ(main_type_named("CONTEN"), std::nullopt);
    EXPECT_EQ(main_type_named(""), std::nullopt);
    EXPECT_EQ(subtype_named(MainType::content, 0, "mixed"), 4);
    EXPECT_EQ(subtype_named(MainType::data, 0, "NONE"), 0);
    EXPECT_EQ(subtype_named(MainType::data, 0, "TEXT"), std::nullopt);
    EXPECT_EQ(subtype_named(MainType::id, 0, "POLYGON"), 3);
    EXPECT_EQ(subtype_named(MainType::id, 1, "REALM_1"), 1);
    EXPECT_EQ(subtype_named(MainType::iscc, 0, "WIDE"), 7);
}

// The rules of iscc_validate() once more, over strings of bits.

std::string bits_of_base32(const std::string& digits) {
    std::string bits;
    for (const char c : digits) {
        const std::size_t value = std::string("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567").find(c);
        if (value == std::string::npos) return "";
        for (int bit = 4; bit >= 0; --bit) bits += (value >> bit & 1) ? '1' : '0';
    }
    return bits;
}

unsigned number(const std::string& bits, std::size_t at, std::size_t count) {
    unsigned value = 0;
    for (std::size_t i = 0; i < count; ++i) value = 2 * value + (bits.at(at + i) == '1');
    return value;
}

bool is_strictly_well_formed(const std::string& text) {
    const auto starts_with_one_of = [](const std::string& s, std::initializer_list<const char*> prefixes) {
        return std::ranges::any_of(prefixes, [&](const char* p) { return s.rfind(p, 0) == 0; });
    };
    if (text.rfind("ISCC:", 0) != 0 || text.size() < 15 || text.size() > 73) return false;
    const std::string digits = text.substr(5);
    if (!starts_with_one_of(digits, {"AA", "CA", "CE", "CI", "CM", "CQ", "EA", "EE", "EI", "EM", "EQ", "GA", "IA",
                                     "KA", "KE", "KI", "KM", "KQ", "KU", "KY", "K4", "MA", "ME", "MI", "MM", "OA"}))
        return false;
    const std::string bits = bits_of_base32(digits);
    if (bits.empty() || bits.size() % 8 > 4) return false;
    const unsigned main_type = number(bits, 0, 4), subtype = number(bits, 4, 4);
    const unsigned version = number(bits, 8, 4), length = number(bits, 12, 4);
    if (version > (main_type == 6 ? 1u : 0u) || length > 7) return false;
    std::size_t body = 32 * (length + 1);
    if (main_type == 6) body = 64 + 8 * length;
    if (main_type == 5) body = 128 + 64 * ((length & 1) + (length >> 1 & 1) + (length >> 2));
    if (main_type == 5 && subtype == 7) body = 256;
    return (bits.size() - 16) / 8 * 8 == body;
}

/// What must hold of any text that is read.
void expect_sound(const std::string& text) {
    Iscc iscc;
    Failure failure;
    if (!read(text, &iscc, &failure)) {
        ASSERT_LE(failure.position, text.size());
        ASSERT_GT(std::char_traits<char>::length(failure.reason.data()), 0u);
        return;
    }
    ASSERT_GE(iscc.count, 1u);
    ASSERT_LE(iscc.count, kMaxUnits);
    Text out;
    if (!write(iscc, &out, &failure)) {
        ASSERT_EQ(iscc.form, Form::sequence) << text;
        return;
    }
    const std::string canonical(out.view());
    ASSERT_TRUE(is_strictly_well_formed(canonical)) << text << " -> " << canonical;
    Iscc again;
    ASSERT_TRUE(read(canonical, &again, &failure)) << canonical << ": " << failure.reason.data();
    ASSERT_TRUE(again == iscc || iscc.form == Form::sequence) << text;
    ASSERT_EQ(normal_form(canonical), canonical);
}

const char kInteresting[] = "ABCDEGIKMOQUY234567abfuvz01cC:-= \n\0\xC3\xFF";

std::string any_text(std::mt19937& random) {
    std::string text;
    const std::size_t length = random() % (random() % 8 == 0 ? 400 : 80);
    for (std::size_t i = 0; i < length; ++i) text += kInteresting[random() % (sizeof kInteresting - 1)];
    return text;
}

void damage(std::string* text, std::mt19937& random) {
    const std::size_t at = random() % (text->size() + 1);
    const char c = kInteresting[random() % (sizeof kInteresting - 1)];
    switch (random() % 5) {
        case 0:
            text->insert(at, 1, c);
            break;
        case 1:
            text->erase(at, 1 + random() % 4);
            break;
        case 2:
            if (at < text->size()) (*text)[at] = c;
            break;
        case 3:
            if (at < text->size()) (*text)[at] = static_cast<char>((*text)[at] ^ (1 << random() % 8));
            break;
        default:
            text->insert(at, text->substr(random() % (text->size() + 1), random() % 40));
    }
}

TEST(IsccRobustness, RandomAndDamagedTextsAreReadSoundlyOrRefused) {
    const std::uint32_t seed = test_seed();
    std::mt19937 random(seed);
    const std::string good[] = {
        "ISCC:AAAZXZ6OU74YAZIM",
        "EADSKDNZNYGUUF5AMFEJLZ5P66CP5YKCOA3X7F36RWE4CIRCBTUWXYY",
        "KMD54GZXFLJ7X5D2PZNR4744UVEZ2ACK4VC2AELL4WVQYFUBZD4OHUGTFEFEZNOTFMLA",
        "ISCC:K4AP5Q74YXNZC4EKRCQEKOXKMYHCJV2JQHX2OCQMRAFY3DAZQXIHLWY",
        "MAASAJINXFXA2SQXAE",
        "ISCC:EMAZQGH26X5XQ5HA-GAA5U77EOAU2NU4Y-IAAU4SKRQCZZEYQD",
        "fcc0120016c017dac75fe4613",
        "bzqasaalmaf62y5p6iyjq",
        "vpg0i00b2jtnrtm1c0v6g",
        "z4rHXCkYCB2k4V7uuk",
        "uzAEgAWwBfax1_kYT",
    };
    for (int round = 0; round < 20000; ++round) {
        std::string text = good[random() % std::size(good)];
        expect_sound(text);
        for (unsigned n = 1 + random() % 4; n > 0; --n) damage(&text, random);
        expect_sound(text);
        expect_sound(any_text(random));
        if (HasFatalFailure()) FAIL() << "NPHD_TEST_SEED=" << seed;
    }
}

/// Numbers of a header beyond every one that is in use, and what lies behind them.
TEST(IsccRobustness, AnyHeaderWithAnyBodyIsReadAsTheRulesSay) {
    for (unsigned i = 0; i < 9 * 9 * 3 * 10; ++i)
        for (std::size_t body = 0; body <= 44; ++body) {
            const unsigned main_type = i % 9, subtype = i / 9 % 9, version = i / 81 % 3, length = i / 243;
            ByteVector bytes = {static_cast<std::uint8_t>(main_type << 4 | subtype),
                                static_cast<std::uint8_t>(version << 4 | length)};
            bytes.resize(2 + body, 0xA5);
            char text[80];
            const std::string digits(text, write_base32(bytes, text));
            Iscc iscc;
            Failure failure;
            const bool is_read = read(digits, &iscc, &failure) && iscc.form != Form::sequence;
            // The rules of the reference let combinations pass that nothing writes.
            const bool nothing_writes_it =
                (main_type == 6 && (version == 1 ? subtype > 1 || length > 0 : length == 3 || length > 4)) ||
                (main_type == 5 && (subtype == 7 ? length > 0 : subtype > 4 && (length & 3) != 0));
            ASSERT_EQ(is_read, is_strictly_well_formed("ISCC:" + digits) && !nothing_writes_it) << digits;
        }
}

}  // namespace
}  // namespace nphd::iscc
