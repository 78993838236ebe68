// Signatures of made-up versions, written where a directory of versions has them.
#pragma once

#include <string>

#include <gtest/gtest.h>

#include "common/base/file_system.h"
#include "serving/signature.h"
#include "serving/version_chain.h"
#include "serving/version_directory.h"

namespace antiphon {

// A version with all rows and no tables.
inline Signature FullSignature(uint64_t version) {
  Signature signature;
  signature.set_format(kSignatureFormat);
  signature.set_model_name("m");
  signature.set_model_id("00000000000000aa");
  signature.set_version(version);
  for (const char* name : {kGraphFile, kStateFile}) {
    signature.add_files()->set_name(name);
  }
  return signature;
}

// The step from `before` to `version`.
inline Signature StepSignature(const VersionLink& before, uint64_t version) {
  Signature signature = FullSignature(version);
  signature.set_model_id(before.signature.model_id());
  ServedStep& step = *signature.mutable_step();
  step.set_base(BaseOf(before.signature));
  step.set_sequence(SequenceOf(before.signature) + 1);
  step.set_predecessor(before.signature.version());
  step.set_predecessor_digest(before.digest);
  return signature;
}

// DIR/version-<n>/signature.json.
inline VersionLink WriteVersion(FileSystem& fs, const std::string& directory,
                                const Signature& signature) {
  const std::string folder = directory + "/" + VersionFolderName(signature.version());
  const std::string json = SignatureJson(signature).value();
  EXPECT_TRUE(fs.MakeDirectories(folder).ok());
  EXPECT_TRUE(WriteFileAtomically(fs, folder + "/" + kSignatureFile, json).ok());
  return {.folder = folder, .signature = signature, .digest = VersionDigest(json)};
}

}  // namespace antiphon
