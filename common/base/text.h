// Small work on text that several rooms share: splitting, trimming, numbers, nearest names.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace antiphon {

// Pieces between separators; always at least one. The separator is not empty.
std::vector<std::string_view> Split(std::string_view text, std::string_view separator);

// Without leading and trailing blanks, tabs, CR and LF.
std::string_view Trim(std::string_view text);

std::string Join(std::span<const std::string> pieces, std::string_view separator);

// The whole text as a number; nothing when there is junk, an overflow, or nothing to read.
// NaN and infinity are refused by ParseFloat.
std::optional<int64_t> ParseInt(std::string_view text);
std::optional<uint64_t> ParseUint(std::string_view text);
std::optional<double> ParseFloat(std::string_view text);

// The candidate with the smallest edit distance to `name`, when it is near enough to be a typing
// error (a third of the name's length, at least one edit); otherwise empty.
std::string NearestName(std::string_view name, std::span<const std::string> candidates);

// "1.5 GiB", "12.0 k", "3m 20s": for people.
std::string FormatBytes(uint64_t bytes);
std::string FormatCount(double count);
std::string FormatSeconds(double seconds);

}  // namespace antiphon
