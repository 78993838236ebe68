// Makes .emb files in memory.
#pragma once

#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "serving/emb_writer.h"
#include "tests/support/memory_file_system.h"

namespace antiphon {

// A float of the row of `key`.
inline float EmbValue(Key key, size_t i) {
  return static_cast<float>(static_cast<double>(key % 1009) / 64 - static_cast<double>(i));
}

// The bytes of a file with those keys, 8-byte aligned as a mapping would be.
class EmbFile {
 public:
  EmbFile(const EmbOptions& options, std::span<const Key> keys,
          std::span<const ServedTombstone> tombstones = {}) {
    MemoryFileSystem fs;
    EXPECT_TRUE(fs.MakeDirectories("/t").ok());
    StatusOr<std::unique_ptr<EmbWriter>> writer =
        EmbWriter::Create(fs, "/t/a.emb", options, keys, tombstones);
    EXPECT_TRUE(writer.ok()) << writer.status();
    std::vector<float> row(options.dim);
    for (const Key key : keys) {
      for (size_t i = 0; i < row.size(); ++i) {
        row[i] = EmbValue(key, i);
      }
      EXPECT_TRUE((*writer)->Add(row).ok());
    }
    summary_ = (*writer)->Finish().value();
    const std::string text = ReadWholeFile(fs, "/t/a.emb", uint64_t{1} << 30).value();
    words_.resize(text.size() / sizeof(uint64_t) + 1);
    size_ = text.size();
    std::memcpy(words_.data(), text.data(), text.size());
  }

  std::span<std::byte> bytes() { return std::as_writable_bytes(std::span(words_)).first(size_); }
  const ServedFile& summary() const { return summary_; }

 private:
  std::vector<uint64_t> words_;
  size_t size_ = 0;
  ServedFile summary_;
};

}  // namespace antiphon
