#include <fcntl.h>

#include <nlohmann/json.hpp>

#include "isolation/base/clock.h"
#include "isolation/base/json.h"
#include "isolation/sys/file.h"
#include "tools/skiff-oci/log.h"

namespace skiff::oci_tool {

void AppendLog(const LogTarget& target, std::string_view level, std::string_view message) {
  if (target.file.empty()) return;
  std::string time = FormatRfc3339(WallNanoseconds());
  std::string line = "time=\"" + time + "\" level=" + std::string(level) +
                     " msg=" + EncodeJson(nlohmann::json(std::string(message))) + "\n";
  if (target.is_json) {
    nlohmann::json encoded = {{"time", time}, {"level", level}, {"msg", message}};
    line = EncodeJson(encoded) + "\n";
  }
  Result<UniqueFd> file = sys::Open(AT_FDCWD, target.file, O_WRONLY | O_CREAT | O_APPEND, 0644);
  if (file.ok()) sys::WriteAll(file.value().get(), line, target.file).Ignore();
}

}  // namespace skiff::oci_tool
