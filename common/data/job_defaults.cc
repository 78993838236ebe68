#include "common/data/job_defaults.h"

#include <google/protobuf/text_format.h>

#include "common/base/hash.h"
#include "common/data/feature_columns.h"

namespace antiphon {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using google::protobuf::TextFormat;

void SetToDefault(const FieldDescriptor& field, Message& message) {
  const Reflection& reflection = *message.GetReflection();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL:
      return reflection.SetBool(&message, &field, field.default_value_bool());
    case FieldDescriptor::CPPTYPE_INT32:
      return reflection.SetInt32(&message, &field, field.default_value_int32());
    case FieldDescriptor::CPPTYPE_INT64:
      return reflection.SetInt64(&message, &field, field.default_value_int64());
    case FieldDescriptor::CPPTYPE_UINT32:
      return reflection.SetUInt32(&message, &field, field.default_value_uint32());
    case FieldDescriptor::CPPTYPE_UINT64:
      return reflection.SetUInt64(&message, &field, field.default_value_uint64());
    case FieldDescriptor::CPPTYPE_FLOAT:
      return reflection.SetFloat(&message, &field, field.default_value_float());
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return reflection.SetDouble(&message, &field, field.default_value_double());
    case FieldDescriptor::CPPTYPE_ENUM:
      return reflection.SetEnum(&message, &field, field.default_value_enum());
    case FieldDescriptor::CPPTYPE_STRING:
      return reflection.SetString(&message, &field, field.default_value_string());
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return;  // messages have no default
  }
}

// An optimizer without a learning rate has the default one: it is made before its fields are.
void FillLearningRate(Message& message) {
  const FieldDescriptor* field = message.GetDescriptor()->FindFieldByName("learning_rate");
  if (field == nullptr || field->message_type() != LearningRate::descriptor()) {
    return;
  }
  auto* rate = static_cast<LearningRate*>(message.GetReflection()->MutableMessage(&message, field));
  rate->mutable_constant_learning_rate();
}

// Every scalar of `message` and of the messages inside it that exist.
void FillScalars(Message& message) {
  FillLearningRate(message);
  const Reflection& reflection = *message.GetReflection();
  const google::protobuf::Descriptor& type = *message.GetDescriptor();
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    if (field.message_type() != nullptr && field.is_repeated()) {
      for (int j = 0; j < reflection.FieldSize(message, &field); ++j) {
        FillScalars(*reflection.MutableRepeatedMessage(&message, &field, j));
      }
    } else if (field.message_type() != nullptr) {
      if (reflection.HasField(message, &field)) {
        FillScalars(*reflection.MutableMessage(&message, &field));
      }
    } else if (field.has_default_value() && !reflection.HasField(message, &field)) {
      SetToDefault(field, message);
    }
  }
}

}  // namespace

void FillDefaults(Job& job) {
  job.mutable_train_config();
  job.mutable_eval_config();
  job.mutable_data_config();
  job.mutable_feature_config();
  job.mutable_sharding();
  for (FeatureConfig& feature : *job.mutable_feature_config()->mutable_features()) {
    feature.set_feature_name(std::string(FeatureName(feature)));
    if (IsCategorical(feature)) {
      feature.set_embedding_name(std::string(TableName(feature)));
      Initializer& initializer = *feature.mutable_initializer();
      if (initializer.initializer_case() == Initializer::INITIALIZER_NOT_SET) {
        initializer.mutable_normal_initializer();
      }
    }
  }
  FillScalars(job);
}

std::string JobText(const Job& job) {
  TextFormat::Printer printer;
  printer.SetUseShortRepeatedPrimitives(true);
  printer.SetUseUtf8StringEscaping(true);
  std::string text;
  printer.PrintToString(job, &text);
  return text;
}

uint64_t JobDigest(const Job& job) {
  return HashBytes(JobText(job));
}

}  // namespace antiphon
