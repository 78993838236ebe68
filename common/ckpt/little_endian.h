// Numbers at fixed places of a file, little-endian whatever the machine.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstring>
#include <span>

namespace antiphon {

// Files hold numbers as memory does; a big-endian port would swap them here.
static_assert(std::endian::native == std::endian::little);

template <std::integral T>
void StoreLittle(std::span<std::byte> out, size_t offset, T value) {
  std::memcpy(out.subspan(offset, sizeof(T)).data(), &value, sizeof(T));
}

template <std::integral T>
T LoadLittle(std::span<const std::byte> in, size_t offset) {
  T value;
  std::memcpy(&value, in.subspan(offset, sizeof(T)).data(), sizeof(T));
  return value;
}

}  // namespace antiphon
