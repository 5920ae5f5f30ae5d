// The commands of skiff and their flags as plain values: what command_line.h makes of the
// arguments, and what commands.h carries out.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "isolation/base/bytes.h"
#include "runtime/model/container_definition.h"
#include "runtime/model/task_definition.h"
#include "runtime/plan/paths.h"
#include "runtime/plan/task_plan.h"

namespace skiff::tools {

struct ImageImport {
  std::string path;
  std::optional<std::string> name;
  std::optional<std::string> platform;
  std::optional<bool> keeps_files;    // default: as the host's settings say
  std::optional<std::string> layers;  // the same
};
struct ImagePull {
  std::string image;
  std::optional<std::string> platform;
  std::string auth_file;  // "": docker's own places
  bool is_verified = true;
  bool is_quiet = false;
  std::optional<bool> keeps_files;
  std::optional<std::string> layers;
};
struct ImagePush {
  std::string image;
  std::string destination;  // "": the image's own name
  std::string auth_file;
  bool is_verified = true;
  bool is_quiet = false;
};
struct ImageExport {
  std::vector<std::string> images;
  std::string output;  // "": standard output
  std::string format;  // "oci-archive", "docker-archive", "oci"
};
struct Login {
  std::string registry = "docker.io";
  std::string user;
  std::string auth_file;
  bool is_verified = true;
};
struct Logout {
  std::string registry = "docker.io";
  std::string auth_file;
};
struct ImageList {
  bool is_json = false;
  bool is_quiet = false;
};
struct ImageInspect {
  std::string image;
};
struct ImageRemove {
  std::vector<std::string> images;
};

struct ImageTag {
  std::string image;
  std::string name;
};
struct ImageVerify {
  std::vector<std::string> images;  // none: all
  bool is_repairing = false;
  std::string auth_file;
};
struct ImageDu {
  bool is_json = false;
};
struct ImagePrune {
  bool is_all = false;
  bool is_dry = false;
  bool drops_files = false;
  bool goes_by_rules = false;
  std::optional<int64_t> until;  // wall nanoseconds
  std::vector<std::pair<std::string, std::string>> labels;
};

// What `skiff run IMAGE` says about its container; for a task definition these are wrong usage.
struct ImageRunOptions {
  std::vector<runtime::KeyValue> environment;
  std::optional<std::string> user;
  std::optional<std::string> working_directory;
  std::optional<std::string> entry_point;
  std::optional<int64_t> cpu;
  std::optional<Bytes> memory;
  bool is_read_only = false;
  std::vector<runtime::Ulimit> ulimits;
  std::vector<std::string> command;
};
// When `skiff run` asks the registry for its images.
enum class PullPolicy { kMissing, kAlways, kNever };

struct Run {
  std::string target;  // a task definition's file, or an image
  ImageRunOptions image;
  std::vector<std::string> image_flags;  // the flags of `image` that were given, as typed
  std::vector<runtime::PublishedPortPlan> ports;
  std::optional<runtime::NetworkMode> network;
  std::optional<std::chrono::seconds> stop_timeout;
  runtime::IsolationOptions isolation;
  std::optional<PullPolicy> pull;  // default: missing
  bool is_detached = false;
  bool keep = false;
};

// What `skiff run` with the same words would give each container, and why.
struct Explain {
  Run run;
  bool is_json = false;
};

// Runs like `skiff run` in the foreground, and writes a profile of the calls that were made.
struct TraceSyscalls {
  Run run;
  std::string output = "seccomp.json";
};

struct Ps {
  bool is_all = false;
  bool is_quiet = false;
  bool is_json = false;
};
struct Logs {
  std::string task;
  std::string container;  // "": all
  bool is_following = false;
  std::optional<int64_t> since;  // wall nanoseconds
  std::optional<uint64_t> tail;
  bool with_timestamps = false;
  bool is_json = false;
};
struct Stop {
  std::vector<std::string> tasks;
  std::optional<std::chrono::seconds> timeout;
  std::string reason;
  bool is_json = false;
};
struct Remove {
  std::vector<std::string> tasks;
  bool is_forced = false;
};
struct Inspect {
  std::string task;
  bool is_json = false;  // as it is without --latency, too
  bool is_latency = false;
};
// What becomes of the daemon's tasks, from now on.
struct Events {
  bool is_json = false;
  std::string socket;  // "": the default
};
struct Doctor {
  bool is_json = false;
};

using Command =
    std::variant<ImageImport, ImageList, ImageInspect, ImageRemove, Run, Ps, Logs, Stop, Remove,
                 Inspect, Doctor, Events, Explain, TraceSyscalls, ImagePull, Login, Logout,
                 ImageTag, ImageVerify, ImageDu, ImagePrune, ImagePush, ImageExport>;

struct CommandLine {
  runtime::Roots roots;
  Command command;
};

}  // namespace skiff::tools
