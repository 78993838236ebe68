// Packs text as gzip, zstd or xz, for tests of what unpacks it.
#pragma once

#include <lzma.h>
#include <string>
#include <string_view>
#include <zlib.h>
#include <zstd.h>

#include "common/base/file_system.h"
#include "common/base/logging.h"

namespace antiphon {

inline std::string Gzip(std::string_view text) {
  z_stream stream = {};
  CHECK_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string packed(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  CHECK_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

inline std::string Zstd(std::string_view text) {
  std::string packed(ZSTD_compressBound(text.size()), '\0');
  const size_t size = ZSTD_compress(packed.data(), packed.size(), text.data(), text.size(), 3);
  CHECK_EQ(ZSTD_isError(size), 0U);
  packed.resize(size);
  return packed;
}

inline std::string Xz(std::string_view text) {
  std::string packed(lzma_stream_buffer_bound(text.size()), '\0');
  size_t size = 0;
  CHECK_EQ(lzma_easy_buffer_encode(1, LZMA_CHECK_CRC32, nullptr,
                                   reinterpret_cast<const uint8_t*>(text.data()), text.size(),
                                   reinterpret_cast<uint8_t*>(packed.data()), &size, packed.size()),
           LZMA_OK);
  packed.resize(size);
  return packed;
}

inline void WriteFile(FileSystem& fs, const std::string& path, std::string_view contents) {
  const Status status = WriteFileAtomically(fs, path, contents);
  CHECK(status.ok()) << status;
}

}  // namespace antiphon
