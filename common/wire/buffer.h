// Buffer: shared bytes that travel without a copy.
//
// A Buffer is a handle; copies share the bytes, and the last one gives them back to whoever they
// came from (the heap, a BufferPool, a message of the transport). Whoever fills a buffer does so
// before it shares it; after that nobody writes. Handles may be copied and dropped on any thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

namespace antiphon {

struct BufferPoolState;

class Buffer {
 public:
  Buffer() = default;  // no bytes
  Buffer(const Buffer& other);
  Buffer(Buffer&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  Buffer& operator=(Buffer other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~Buffer() { Release(); }

  // `size` bytes from the heap, 64-byte aligned, not initialised.
  static Buffer Allocate(size_t size);
  static Buffer Copy(std::span<const std::byte> bytes);
  static Buffer Copy(std::string_view text);
  // Bytes of somebody else; `release(hint)` is called once, by the last handle, on its thread.
  static Buffer Wrap(std::byte* data, size_t size, void (*release)(void* hint), void* hint);

  size_t size() const { return block_ == nullptr ? 0 : block_->size; }
  const std::byte* data() const { return block_ == nullptr ? nullptr : block_->data; }
  std::span<const std::byte> bytes() const { return {data(), size()}; }
  std::string_view text() const { return {reinterpret_cast<const char*>(data()), size()}; }

  // For filling, by the only holder.
  std::byte* mutable_data() { return block_ == nullptr ? nullptr : block_->data; }

  // The bytes as little-endian values of T; a rest that does not fill one T is left out. Data that
  // came from a transport is aligned for 8-byte values.
  template <typename T>
  std::span<const T> As() const {
    return {reinterpret_cast<const T*>(data()), size() / sizeof(T)};
  }
  template <typename T>
  std::span<T> MutableAs() {
    return {reinterpret_cast<T*>(mutable_data()), size() / sizeof(T)};
  }

 private:
  friend class BufferPool;
  friend struct BufferPoolState;
  // Lies in front of the bytes, except those of somebody else.
  struct Block {
    std::atomic<int> handles{1};
    std::byte* data = nullptr;
    size_t size = 0;
    size_t capacity = 0;
    void (*release)(void* hint) = nullptr;
    void* hint = nullptr;
    std::shared_ptr<BufferPoolState> pool;  // set: the block goes back there
  };
  explicit Buffer(Block* block) : block_(block) {}
  static Block* NewBlock(size_t capacity);
  static void DeleteBlock(Block* block);
  void Release();

  Block* block_ = nullptr;
};

// BufferPool: keeps blocks that were used once, because a fresh megabyte costs more in page faults
// than sending it. Any thread may acquire and any thread may drop the last handle, also after the
// pool itself is gone. Idle blocks hold at most `max_idle_bytes`; those of the sizes that lie idle
// most are given back to the heap first.
class BufferPool {
 public:
  explicit BufferPool(size_t max_idle_bytes = size_t{64} << 20);
  ~BufferPool();
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;

  // `size` bytes, 64-byte aligned, with whatever they held before.
  Buffer Acquire(size_t size);

  size_t idle_bytes() const;

 private:
  std::shared_ptr<BufferPoolState> state_;
};

}  // namespace antiphon
