#include "common/base/text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <numeric>

namespace antiphon {
namespace {

template <typename T>
std::optional<T> ParseWhole(std::string_view text) {
  // std::from_chars knows no plus sign, people do.
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') {
    text.remove_prefix(1);
  }
  T value{};
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end) {
    return std::nullopt;
  }
  return value;
}

// Levenshtein distance in two rows.
size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> above(b.size() + 1);
  std::vector<size_t> row(b.size() + 1);
  std::iota(above.begin(), above.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    row[0] = i + 1;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t replaced = above[j] + (a[i] == b[j] ? 0 : 1);
      row[j + 1] = std::min({replaced, above[j + 1] + 1, row[j] + 1});
    }
    std::swap(above, row);
  }
  return above[b.size()];
}

// A format with one double, such as "%.1f GiB".
std::string Print(const char* format, double value) {
  std::array<char, 64> text;
  const int n = std::snprintf(text.data(), text.size(), format, value);
  return std::string(text.data(), static_cast<size_t>(std::clamp(n, 0, 63)));
}

}  // namespace

std::vector<std::string_view> Split(std::string_view text, std::string_view separator) {
  std::vector<std::string_view> pieces;
  size_t begin = 0;
  for (size_t end = text.find(separator); end != std::string_view::npos;
       end = text.find(separator, begin)) {
    pieces.push_back(text.substr(begin, end - begin));
    begin = end + separator.size();
  }
  pieces.push_back(text.substr(begin));
  return pieces;
}

std::string_view Trim(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const size_t begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) {
    return {};
  }
  return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

std::string Join(std::span<const std::string> pieces, std::string_view separator) {
  std::string text;
  for (size_t i = 0; i < pieces.size(); ++i) {
    if (i > 0) {
      text += separator;
    }
    text += pieces[i];
  }
  return text;
}

std::optional<int64_t> ParseInt(std::string_view text) {
  return ParseWhole<int64_t>(text);
}

std::optional<uint64_t> ParseUint(std::string_view text) {
  return ParseWhole<uint64_t>(text);
}

std::optional<double> ParseFloat(std::string_view text) {
  const std::optional<double> value = ParseWhole<double>(text);
  if (!value.has_value() || !std::isfinite(*value)) {
    return std::nullopt;
  }
  return value;
}

std::string NearestName(std::string_view name, std::span<const std::string> candidates) {
  const size_t allowed = std::max<size_t>(1, name.size() / 3);
  const std::string* best = nullptr;
  size_t best_distance = allowed + 1;
  for (const std::string& candidate : candidates) {
    const size_t distance = EditDistance(name, candidate);
    if (distance < best_distance) {
      best = &candidate;
      best_distance = distance;
    }
  }
  return best == nullptr ? std::string() : *best;
}

std::string FormatBytes(uint64_t bytes) {
  if (bytes < 1024) {
    return std::to_string(bytes) + " B";
  }
  constexpr std::array<const char*, 6> kFormats = {"%.1f KiB", "%.1f MiB", "%.1f GiB",
                                                   "%.1f TiB", "%.1f PiB", "%.1f EiB"};
  size_t unit = 0;
  double value = static_cast<double>(bytes) / 1024;
  // 1023.95 and up would print as 1024.0.
  for (; value >= 1023.95 && unit + 1 < kFormats.size(); ++unit) {
    value /= 1024;
  }
  return Print(kFormats[unit], value);
}

std::string FormatCount(double count) {
  if (std::abs(count) < 999.5) {
    return Print(count == std::floor(count) ? "%.0f" : "%.1f", count);
  }
  constexpr std::array<const char*, 5> kFormats = {"%.1f k", "%.1f M", "%.1f G", "%.1f T",
                                                   "%.1f P"};
  size_t unit = 0;
  double value = count / 1000;
  for (; std::abs(value) >= 999.95 && unit + 1 < kFormats.size(); ++unit) {
    value /= 1000;
  }
  return Print(kFormats[unit], value);
}

std::string FormatSeconds(double seconds) {
  if (seconds < 1e-3) {
    return Print("%.0f us", seconds * 1e6);
  }
  if (seconds < 1) {
    return Print("%.0f ms", seconds * 1e3);
  }
  if (seconds < 59.95) {
    return Print("%.1f s", seconds);
  }
  const int64_t whole = std::llround(std::min(seconds, 1e15));
  const int64_t days = whole / 86400;
  const int64_t hours = whole / 3600 % 24;
  const int64_t minutes = whole / 60 % 60;
  if (days > 0) {
    return std::to_string(days) + "d " + std::to_string(hours) + "h";
  }
  if (hours > 0) {
    return std::to_string(hours) + "h " + std::to_string(minutes) + "m";
  }
  return std::to_string(minutes) + "m " + std::to_string(whole % 60) + "s";
}

}  // namespace antiphon
