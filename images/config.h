// An image's configuration: what a container gets from its image unless the task says otherwise.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "images/digest.h"
#include "images/platform.h"
#include "isolation/base/result.h"

namespace skiff::images {

struct ImageConfig {
  Platform platform;
  std::vector<std::string> env;  // "NAME=value"
  std::vector<std::string> entrypoint;
  std::vector<std::string> cmd;
  std::string working_dir;
  std::string user;
  std::string stop_signal;
  std::vector<std::string> exposed_ports;  // "80/tcp"
  std::vector<std::string> volumes;        // paths in the container, without ".."
  std::vector<std::pair<std::string, std::string>> labels;
  std::vector<Digest> diff_ids;  // base first
  std::string created;           // RFC 3339, or empty
};

// `what` names the document in errors.
Result<ImageConfig> DecodeImageConfig(std::string_view text, std::string_view what);

}  // namespace skiff::images
