// What MainTypes and SubTypes are called.
#include <algorithm>

#include "engine/iscc/iscc.hpp"

namespace nphd::iscc {
namespace {

constexpr std::string_view kMainTypes[] = {"META", "SEMANTIC", "CONTENT", "DATA", "INSTANCE", "ISCC", "ID", "FLAKE"};
constexpr std::string_view kNoSubtypes[] = {"NONE"};
constexpr std::string_view kMediaTypes[] = {"TEXT", "IMAGE", "AUDIO", "VIDEO", "MIXED"};
constexpr std::string_view kCompositions[] = {"TEXT", "IMAGE", "AUDIO", "VIDEO", "MIXED", "SUM", "NONE", "WIDE"};
constexpr std::string_view kChains[] = {"PRIVATE", "BITCOIN", "ETHEREUM", "POLYGON"};
constexpr std::string_view kRealms[] = {"REALM_0", "REALM_1"};

char upper(char c) noexcept { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

std::optional<std::size_t> find_name(std::span<const std::string_view> names, std::string_view name) noexcept {
    const auto same = [name](std::string_view known) {
        return std::ranges::equal(known, name, {}, {}, [](char c) { return upper(c); });
    };
    const auto found = std::ranges::find_if(names, same);
    if (found == names.end()) return std::nullopt;
    return static_cast<std::size_t>(found - names.begin());
}

}  // namespace

std::string_view main_type_name(MainType main_type) noexcept { return kMainTypes[static_cast<std::size_t>(main_type)]; }

std::span<const std::string_view> subtype_names(MainType main_type, unsigned version) noexcept {
    switch (main_type) {
        case MainType::semantic:
        case MainType::content:
            return kMediaTypes;
        case MainType::iscc:
            return kCompositions;
        case MainType::id:
            if (version == 0) return kChains;
            return kRealms;
        case MainType::meta:
        case MainType::data:
        case MainType::instance:
        case MainType::flake:
            break;
    }
    return kNoSubtypes;
}

std::optional<MainType> main_type_named(std::string_view name) noexcept {
    const auto found = find_name(kMainTypes, name);
    if (!found) return std::nullopt;
    return static_cast<MainType>(*found);
}

std::optional<std::uint8_t> subtype_named(MainType main_type, unsigned version, std::string_view name) noexcept {
    const auto found = find_name(subtype_names(main_type, version), name);
    if (!found) return std::nullopt;
    return static_cast<std::uint8_t>(*found);
}

}  // namespace nphd::iscc
