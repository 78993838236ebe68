#include "simulation/sample_csv.h"

#include <charconv>

namespace antiphon {
namespace {

constexpr int kContentDecimals = 2;
constexpr char kRequestAndTime[] = "request_id,time_ms,";
constexpr char kUntilHost[] =
    "hour,scene,position,"
    "user_id,age_band,city,language,device,favourite,"
    "host_id,host_category,host_level,host_language,host_fans";

template <typename Number>
void AppendNumber(Number number, std::string& text) {
  char digits[24];
  const auto result = std::to_chars(digits, digits + sizeof(digits), number);
  text.append(digits, result.ptr);
}

std::string VectorText(const ContentVector& content) {
  std::string text;
  for (const float value : content) {
    char digits[24];
    const auto result = std::to_chars(digits, digits + sizeof(digits), value,
                                      std::chars_format::fixed, kContentDecimals);
    if (!text.empty()) {
      text.push_back('|');
    }
    text.append(digits, result.ptr);
  }
  return text;
}

// "17,25-34,c03,en,ios,music"
std::string UserText(const User& user) {
  std::string text = std::to_string(user.id);
  text.append(",").append(kAgeBandNames[static_cast<size_t>(user.age_band)]);
  text.append(user.city < 10 ? ",c0" : ",c").append(std::to_string(user.city));
  text.append(",").append(kLanguageNames[static_cast<size_t>(user.language)]);
  text.append(",").append(kDeviceNames[static_cast<size_t>(user.device)]);
  text.append(",").append(kCategoryNames[static_cast<size_t>(user.favourite)]);
  return text;
}

// "3,dance,2,en,1520"
std::string HostAttributes(const Host& host) {
  std::string text = std::to_string(host.id);
  text.append(",").append(kCategoryNames[static_cast<size_t>(host.category)]);
  text.append(",").append(std::to_string(host.level));
  text.append(",").append(kLanguageNames[static_cast<size_t>(host.language)]);
  text.append(",").append(std::to_string(host.fans));
  return text;
}

// Id and vector, for each piece of content that the host has: "14,0.20|-1.31|...".
std::vector<std::string> ContentTexts(uint32_t host_id,
                                      const std::vector<ContentVector>& contents) {
  std::vector<std::string> texts;
  for (size_t i = 0; i < contents.size(); ++i) {
    texts.push_back(std::to_string(host_id * contents.size() + i) + "," + VectorText(contents[i]));
  }
  return texts;
}

}  // namespace

SampleCsv::SampleCsv(const Platform& platform) {
  for (const User& user : platform.users().all()) {
    users_.push_back(UserText(user));
  }
  for (const Host& host : platform.hosts()) {
    hosts_.push_back({.attributes = HostAttributes(host),
                      .avatars = ContentTexts(host.id, host.avatars),
                      .texts = ContentTexts(host.id, host.texts)});
  }
}

std::string SampleCsv::Header() {
  std::string header = kRequestAndTime + FeatureHeader();
  for (const Task task : kTasks) {
    header.append(",").append(TaskName(task));
  }
  return header + "\n";
}

std::string SampleCsv::RequestHeader() {
  return std::string(kRequestAndTime) + kUntilHost + "\n";
}

std::string SampleCsv::FeatureHeader() {
  return std::string(kUntilHost) + ",avatar_id,avatar,text_id,text";
}

void SampleCsv::AppendRequestAndTime(const Impression& impression, std::string& text) {
  AppendNumber(impression.request_id, text);
  text.push_back(',');
  AppendNumber(impression.showing.moment.time_ms, text);
  text.push_back(',');
}

void SampleCsv::AppendUntilHost(const Impression& impression, std::string& text) const {
  const Showing& showing = impression.showing;
  AppendNumber(showing.moment.hour, text);
  text.push_back(',');
  text.append(SceneName(showing.scene));
  text.push_back(',');
  AppendNumber(showing.position, text);
  text.push_back(',');
  text.append(users_[showing.user->id]);
  text.push_back(',');
  text.append(hosts_[showing.host->id].attributes);
}

void SampleCsv::AppendRequest(const Impression& impression, std::string& text) const {
  AppendRequestAndTime(impression, text);
  AppendUntilHost(impression, text);
  text.push_back('\n');
}

void SampleCsv::AppendFeatures(const Impression& impression, std::string& text) const {
  const Showing& showing = impression.showing;
  const HostText& host = hosts_[showing.host->id];
  AppendUntilHost(impression, text);
  text.push_back(',');
  text.append(host.avatars[static_cast<size_t>(showing.avatar)]);
  text.push_back(',');
  text.append(host.texts[static_cast<size_t>(showing.text)]);
}

void SampleCsv::Append(const Impression& impression, std::string& text) const {
  AppendRequestAndTime(impression, text);
  AppendFeatures(impression, text);
  for (const bool label : impression.labels) {
    text.append(label ? ",1" : ",0");
  }
  text.push_back('\n');
}

std::string SampleCsv::ContentFile(const char* header,
                                   std::vector<std::string> HostText::*contents) const {
  std::string file = header;
  for (size_t host = 0; host < hosts_.size(); ++host) {
    for (const std::string& content : hosts_[host].*contents) {
      file.append(std::to_string(host)).append(",").append(content).append("\n");
    }
  }
  return file;
}

std::string SampleCsv::AvatarFile() const {
  return ContentFile("host_id,avatar_id,avatar\n", &HostText::avatars);
}

std::string SampleCsv::TextFile() const {
  return ContentFile("host_id,text_id,text\n", &HostText::texts);
}

}  // namespace antiphon
