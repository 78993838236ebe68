#include "common/wire/buffer.h"

#include <array>
#include <bit>
#include <new>
#include <vector>

#include "common/base/logging.h"
#include "common/base/mutex.h"

namespace antiphon {
namespace {

constexpr size_t kAlignment = 64;
constexpr int kSizeClasses = 4 * 64 + 1;

// Sizes are rounded up to four steps for each power of two, so at most a fifth of a block is idle.
struct SizeClass {
  int index = 0;
  size_t capacity = 0;
};

SizeClass SizeClassOf(size_t size) {
  if (size <= kAlignment) {
    return {0, kAlignment};
  }
  const int bits = std::bit_width(size - 1);  // 2^(bits - 1) < size <= 2^bits
  const size_t step = size_t{1} << (bits - 3);
  const size_t steps = (size + step - 1) / step;  // 5 .. 8
  return {bits * 4 + static_cast<int>(steps) - 8, steps * step};
}

}  // namespace

// What a pool and its blocks that are out have in common.
struct BufferPoolState {
  explicit BufferPoolState(size_t max_idle) : max_idle_bytes(max_idle) {}
  ~BufferPoolState() {
    for (const std::vector<Buffer::Block*>& blocks : idle) {
      for (Buffer::Block* block : blocks) {
        Buffer::DeleteBlock(block);
      }
    }
  }

  // A used block of this class, or null.
  Buffer::Block* Take(const SizeClass& size_class) AP_EXCLUDES(mu) {
    MutexLock lock(mu);
    std::vector<Buffer::Block*>& blocks = idle[size_class.index];
    if (blocks.empty()) {
      return nullptr;
    }
    Buffer::Block* block = blocks.back();
    blocks.pop_back();
    idle_bytes -= block->capacity;
    return block;
  }

  void Put(Buffer::Block* block) AP_EXCLUDES(mu) {
    MutexLock lock(mu);
    if (block->capacity > max_idle_bytes) {
      Buffer::DeleteBlock(block);
      return;
    }
    while (idle_bytes + block->capacity > max_idle_bytes) {
      DropOne();
    }
    idle_bytes += block->capacity;
    idle[SizeClassOf(block->capacity).index].push_back(block);
  }

  // From the class that holds the most idle bytes: sizes that are not asked for any more make room
  // for those that are.
  void DropOne() AP_REQUIRES(mu) {
    std::vector<Buffer::Block*>* largest = nullptr;
    size_t largest_bytes = 0;
    for (std::vector<Buffer::Block*>& blocks : idle) {
      const size_t bytes = blocks.empty() ? 0 : blocks.size() * blocks.back()->capacity;
      if (bytes > largest_bytes) {
        largest = &blocks;
        largest_bytes = bytes;
      }
    }
    CHECK(largest != nullptr) << "idle bytes are counted, but no block is idle";
    Buffer::Block* block = largest->back();
    largest->pop_back();
    idle_bytes -= block->capacity;
    Buffer::DeleteBlock(block);
  }

  const size_t max_idle_bytes;
  Mutex mu;
  std::array<std::vector<Buffer::Block*>, kSizeClasses> idle AP_GUARDED_BY(mu);
  size_t idle_bytes AP_GUARDED_BY(mu) = 0;
};

Buffer::Block* Buffer::NewBlock(size_t capacity) {
  constexpr size_t kBlockBytes = (sizeof(Block) + kAlignment - 1) / kAlignment * kAlignment;
  void* memory = ::operator new (kBlockBytes + capacity, std::align_val_t{kAlignment});
  Block* block = new (memory) Block;
  block->data = static_cast<std::byte*>(memory) + kBlockBytes;
  block->capacity = capacity;
  return block;
}

void Buffer::DeleteBlock(Block* block) {
  block->~Block();
  ::operator delete (block, std::align_val_t{kAlignment});
}

Buffer::Buffer(const Buffer& other) : block_(other.block_) {
  if (block_ != nullptr) {
    // Relaxed: `other` is a handle already, so the block cannot go away meanwhile.
    block_->handles.fetch_add(1, std::memory_order_relaxed);
  }
}

void Buffer::Release() {
  Block* block = std::exchange(block_, nullptr);
  if (block == nullptr || block->handles.fetch_sub(1, std::memory_order_acq_rel) > 1) {
    return;
  }
  if (block->release != nullptr) {
    block->release(block->hint);
  }
  // The block leaves its pool's state alive until it is back there.
  if (const std::shared_ptr<BufferPoolState> pool = std::move(block->pool); pool != nullptr) {
    pool->Put(block);
  } else {
    DeleteBlock(block);
  }
}

Buffer Buffer::Allocate(size_t size) {
  Block* block = NewBlock(size);
  block->size = size;
  return Buffer(block);
}

Buffer Buffer::Copy(std::span<const std::byte> bytes) {
  Buffer buffer = Allocate(bytes.size());
  if (!bytes.empty()) {
    std::memcpy(buffer.mutable_data(), bytes.data(), bytes.size());
  }
  return buffer;
}

Buffer Buffer::Copy(std::string_view text) {
  return Copy(std::as_bytes(std::span(text)));
}

Buffer Buffer::Wrap(std::byte* data, size_t size, void (*release)(void* hint), void* hint) {
  Block* block = NewBlock(0);
  block->data = data;
  block->size = size;
  block->release = release;
  block->hint = hint;
  return Buffer(block);
}

BufferPool::BufferPool(size_t max_idle_bytes)
    : state_(std::make_shared<BufferPoolState>(max_idle_bytes)) {}

BufferPool::~BufferPool() = default;

Buffer BufferPool::Acquire(size_t size) {
  const SizeClass size_class = SizeClassOf(size);
  Buffer::Block* block = state_->Take(size_class);
  if (block == nullptr) {
    block = Buffer::NewBlock(size_class.capacity);
  }
  // Relaxed: nobody else knows the block.
  block->handles.store(1, std::memory_order_relaxed);
  block->size = size;
  block->pool = state_;
  return Buffer(block);
}

size_t BufferPool::idle_bytes() const {
  MutexLock lock(state_->mu);
  return state_->idle_bytes;
}

}  // namespace antiphon
