#include "common/data/vocabulary.h"

#include "common/base/hash.h"

namespace antiphon {
namespace {

constexpr size_t kFirstSlots = 16;

uint32_t TagOf(uint64_t hash) {
  return static_cast<uint32_t>(hash >> 32);
}

}  // namespace

Vocabulary::Vocabulary() : slots_(kFirstSlots) {}

std::string_view Vocabulary::operator[](uint32_t number) const {
  const size_t begin = number == 0 ? 0 : ends_[number - 1];
  return std::string_view(arena_).substr(begin, ends_[number] - begin);
}

size_t Vocabulary::Probe(std::string_view text, uint64_t hash) const {
  const size_t mask = slots_.size() - 1;
  size_t at = hash & mask;
  while (slots_[at].number != kNotFound &&
         (slots_[at].tag != TagOf(hash) || (*this)[slots_[at].number] != text)) {
    at = (at + 1) & mask;
  }
  return at;
}

uint32_t Vocabulary::Find(std::string_view text) const {
  return slots_[Probe(text, HashBytes(text))].number;
}

uint32_t Vocabulary::Add(std::string_view text) {
  const uint64_t hash = HashBytes(text);
  size_t at = Probe(text, hash);
  if (slots_[at].number != kNotFound) {
    return slots_[at].number;
  }
  if ((ends_.size() + 1) * 2 > slots_.size()) {
    Grow();
    at = Probe(text, hash);
  }
  const uint32_t number = size();
  arena_.append(text);
  ends_.push_back(arena_.size());
  slots_[at] = {.number = number, .tag = TagOf(hash)};
  return number;
}

void Vocabulary::Grow() {
  slots_.assign(slots_.size() * 2, Slot());
  for (uint32_t number = 0; number < size(); ++number) {
    const uint64_t hash = HashBytes((*this)[number]);
    slots_[Probe((*this)[number], hash)] = {.number = number, .tag = TagOf(hash)};
  }
}

}  // namespace antiphon
