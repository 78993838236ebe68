// VersionChain: a version with everything that it grows from: one with all rows, and the steps
// behind it.
//
// A step names its predecessor by version and by the digest of its signature, so a link that is
// missing, doubled, swapped or of another model is noticed before any row is read. Stateless
// functions; any thread may call them. Errors name the folder and what is wrong with it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/file_system.h"
#include "common/base/status.h"
#include "proto/serving.pb.h"

namespace antiphon {

struct VersionLink {
  std::string folder;
  Signature signature;
  std::string digest;  // VersionDigest of its signature.json
};

// The version with all rows first, then its steps in order; never empty where one is returned. The
// dense part of the last one counts: each version has it whole.
using VersionChain = std::vector<VersionLink>;

// At most this many steps stand behind a version with all rows.
inline constexpr uint64_t kMaxSteps = 1000;

// XXH3-64 of the bytes of a signature.json, as 16 hexadecimal digits: it names all other files with
// their checksums, and so a version as a whole.
std::string VersionDigest(std::string_view json);

// The version that the chain of `signature` begins with, which may be itself, and how many steps
// behind that it is.
uint64_t BaseOf(const Signature& signature);
uint64_t SequenceOf(const Signature& signature);

// Reads and checks the signature of one version, not its other files. kNotFound: the folder has
// none. kDataLoss: it is torn.
StatusOr<VersionLink> ReadVersionLink(FileSystem& fs, const std::string& folder);

// Ok when `step` was made from `before` and comes right behind it. Each fault has its code:
//   kInvalidArgument  wrong model
//   kAlreadyExists    duplicate: both have the same place in the chain
//   kStaleEpoch       stale: the step belongs to a chain that begins with another version
//   kNotFound         missing: other steps come in between
//   kOutOfRange       out of order: the step comes before it, or names another predecessor
//   kDataLoss         torn: `before` is not as it was when the step was made
Status CheckFollows(const VersionLink& before, const VersionLink& step);

// The chain that ends with the version in `last_folder`; the others lie beside it, in folders
// version-<n>. Errors as those of ReadVersionLink and CheckFollows; kNotFound also where a
// predecessor is not there.
StatusOr<VersionChain> ReadVersionChain(FileSystem& fs, const std::string& last_folder);

// The chain of the version that DIR/CURRENT names. An exporter may move CURRENT on and remove
// versions in the meantime: then what is current by now is read. kNotFound: there is no CURRENT.
StatusOr<VersionChain> ReadCurrentChain(FileSystem& fs, const std::string& directory);

}  // namespace antiphon
