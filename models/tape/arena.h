// Arena: memory that is handed out in pieces and taken back all at once.
//
// It keeps what it once had, so that a step like the last one allocates nothing. Owned by one tape.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace antiphon {

class Arena {
 public:
  // `bytes` of memory on a 64-byte boundary, valid until Reset. Its contents are what they are.
  void* Allocate(size_t bytes);

  template <typename T>
  T* AllocateArray(size_t count) {
    return static_cast<T*>(Allocate(count * sizeof(T)));
  }

  // Everything handed out is taken back. When it came from several blocks, the next use gets a
  // single one of the size of all.
  void Reset();

  // How often the arena asked the system for memory: stands still in a steady state.
  uint64_t block_count() const { return block_count_; }

 private:
  struct Free {
    void operator()(std::byte* memory) const;
  };
  struct Block {
    std::unique_ptr<std::byte[], Free> memory;
    size_t size = 0;
  };

  void AddBlock(size_t size);

  std::vector<Block> blocks_;  // pieces come from the last one
  size_t used_ = 0;            // of the last one
  uint64_t block_count_ = 0;
};

}  // namespace antiphon
