// SampleCsv: impressions with their labels, requests that nothing is shown to yet, and what hosts
// may be shown with, as lines of comma separated values.
//
// What a user, a host or a piece of content looks like in a line is formatted once, so a line is
// little more than copying. Vectors are joined with `|`. Frozen: any thread may append.
#pragma once

#include <string>
#include <vector>

#include "simulation/impression.h"
#include "simulation/platform.h"

namespace antiphon {

class SampleCsv {
 public:
  explicit SampleCsv(const Platform& platform);

  // The names of the columns, with the line's end.
  static std::string Header();
  // Adds one line, with its end, to `text`.
  void Append(const Impression& impression, std::string& text) const;

  // The same up to the host: without avatar, text and labels.
  static std::string RequestHeader();
  void AppendRequest(const Impression& impression, std::string& text) const;

  // What a model may know when a host is shown: without request, time and labels, and without the
  // line's end.
  static std::string FeatureHeader();
  void AppendFeatures(const Impression& impression, std::string& text) const;

  // "host_id,avatar_id,avatar" and "host_id,text_id,text", a line each.
  std::string AvatarFile() const;
  std::string TextFile() const;

 private:
  struct HostText {
    std::string attributes;
    std::vector<std::string> avatars;
    std::vector<std::string> texts;
  };

  // From the hour to the host.
  void AppendUntilHost(const Impression& impression, std::string& text) const;
  static void AppendRequestAndTime(const Impression& impression, std::string& text);
  std::string ContentFile(const char* header, std::vector<std::string> HostText::*contents) const;

  std::vector<std::string> users_;
  std::vector<HostText> hosts_;
};

}  // namespace antiphon
