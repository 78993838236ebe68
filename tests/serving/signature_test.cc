#include "serving/signature.h"

#include <string>

#include <gmock/gmock.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

namespace antiphon {
namespace {

using testing::HasSubstr;

Signature Sample() {
  Signature signature;
  signature.set_format(kSignatureFormat);
  signature.set_model_name("m");
  signature.set_version((uint64_t{1} << 63) + 1);
  for (const char* name : {kGraphFile, kStateFile, "embeddings/user.emb"}) {
    ServedFile& file = *signature.add_files();
    file.set_name(name);
    file.set_bytes(10);
    file.set_crc32c(0xfedcba98);
  }
  ServedTable& table = *signature.add_tables();
  table.set_name("user");
  table.set_file("embeddings/user.emb");
  table.set_dim(8);
  table.set_precision(ServedTable::FP16);
  ServedFeature& feature = *signature.add_features();
  feature.set_name("user \"quoted\"");
  feature.add_vocabulary("ünï ☃");
  feature.add_vocabulary_bytes("\xff\x00");
  feature.add_shift(0.1);
  feature.add_scale(1.0 / 3);
  return signature;
}

std::string JsonOf(const Signature& signature) {
  return SignatureJson(signature).value();
}

TEST(SignatureTest, ComesBackAsItWas) {
  const Signature signature = Sample();
  const StatusOr<Signature> back = ParseSignature(JsonOf(signature));
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(*back, signature));
}

TEST(SignatureTest, NamesFieldsAsTheSchemaDoes) {
  EXPECT_THAT(JsonOf(Sample()), HasSubstr("\"model_name\": \"m\""));
}

TEST(SignatureTest, TellsAnotherFormatFromDamage) {
  Signature signature = Sample();
  signature.set_format(2);
  EXPECT_EQ(ParseSignature(JsonOf(signature)).status().code(), StatusCode::kUnimplemented);
  const std::string json = JsonOf(Sample());
  EXPECT_EQ(ParseSignature(json.substr(0, json.size() / 2)).status().code(), StatusCode::kDataLoss);
  EXPECT_EQ(ParseSignature("").status().code(), StatusCode::kDataLoss);
}

TEST(SignatureTest, RefusesFilesOutsideOfItsFolder) {
  for (const char* name : {"/etc/passwd", "../other/x.emb", "a/../../b", "a\\b", ""}) {
    Signature signature = Sample();
    signature.mutable_files(2)->set_name(name);
    signature.mutable_tables(0)->set_file(name);
    const Status status = ParseSignature(JsonOf(signature)).status();
    EXPECT_EQ(status.code(), StatusCode::kDataLoss) << name;
  }
}

TEST(SignatureTest, RefusesWhatContradictsItself) {
  Signature without_graph = Sample();
  without_graph.mutable_files(0)->set_name("other.onnx");
  EXPECT_THAT(ParseSignature(JsonOf(without_graph)).status().message(), HasSubstr(kGraphFile));
  Signature without_file = Sample();
  without_file.mutable_tables(0)->set_file("embeddings/item.emb");
  EXPECT_THAT(ParseSignature(JsonOf(without_file)).status().message(), HasSubstr("item.emb"));
  Signature twice = Sample();
  *twice.add_tables() = twice.tables(0);
  EXPECT_THAT(ParseSignature(JsonOf(twice)).status().message(), HasSubstr("twice"));
}

TEST(SignatureTest, TablesOfAnyNameHaveAFile) {
  EXPECT_EQ(EmbeddingFile("user_id"), "embeddings/user_id.emb");
  EXPECT_EQ(EmbeddingFile("a/b .c"), "embeddings/a%2fb%20%2ec.emb");
}

}  // namespace
}  // namespace antiphon
