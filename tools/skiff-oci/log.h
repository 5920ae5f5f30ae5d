// Where skiff-oci tells what went wrong: standard error always, and --log in the form that podman
// and containerd read back: JSON, or time=... level=... msg="..." lines.
#pragma once

#include <string>
#include <string_view>

namespace skiff::oci_tool {

struct LogTarget {
  std::string file;  // "": none
  bool is_json = false;
};

// Appends one line to the file. `level`: "error", "warning". What cannot be logged is dropped: the
// message is on standard error, too.
void AppendLog(const LogTarget& target, std::string_view level, std::string_view message);

}  // namespace skiff::oci_tool
