#include "models/tape/arena.h"

#include <algorithm>
#include <new>

namespace antiphon {
namespace {

constexpr size_t kAlignment = 64;  // a cache line, a whole AVX-512 register
constexpr size_t kFirstBlockBytes = size_t{1} << 20;

size_t RoundUp(size_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

}  // namespace

void Arena::Free::operator()(std::byte* memory) const {
  ::operator delete[](memory, std::align_val_t{kAlignment});
}

void Arena::AddBlock(size_t size) {
  auto* memory = static_cast<std::byte*>(::operator new[](size, std::align_val_t{kAlignment}));
  blocks_.push_back({std::unique_ptr<std::byte[], Free>(memory), size});
  used_ = 0;
  ++block_count_;
}

void* Arena::Allocate(size_t bytes) {
  const size_t rounded = RoundUp(bytes);
  if (blocks_.empty() || blocks_.back().size - used_ < rounded) {
    const size_t twice = blocks_.empty() ? kFirstBlockBytes : 2 * blocks_.back().size;
    AddBlock(std::max(rounded, twice));
  }
  void* piece = blocks_.back().memory.get() + used_;
  used_ += rounded;
  return piece;
}

void Arena::Reset() {
  if (blocks_.size() > 1) {
    size_t total = 0;
    for (const Block& block : blocks_) {
      total += block.size;
    }
    blocks_.clear();
    AddBlock(total);
  }
  used_ = 0;
}

}  // namespace antiphon
