// Rules for what is the kernel's or the log driver's: capabilities, ulimits, devices, log options.
#include <algorithm>
#include <array>
#include <set>

#include "isolation/base/text.h"
#include "runtime/model/validate_rules.h"

namespace skiff::runtime {
namespace {

// The names ECS takes; newer capabilities of the kernel are not among them.
constexpr std::array<std::string_view, 38> kCapabilities = {
    "ALL",        "AUDIT_CONTROL",   "AUDIT_WRITE",      "BLOCK_SUSPEND",
    "CHOWN",      "DAC_OVERRIDE",    "DAC_READ_SEARCH",  "FOWNER",
    "FSETID",     "IPC_LOCK",        "IPC_OWNER",        "KILL",
    "LEASE",      "LINUX_IMMUTABLE", "MAC_ADMIN",        "MAC_OVERRIDE",
    "MKNOD",      "NET_ADMIN",       "NET_BIND_SERVICE", "NET_BROADCAST",
    "NET_RAW",    "SETFCAP",         "SETGID",           "SETPCAP",
    "SETUID",     "SYS_ADMIN",       "SYS_BOOT",         "SYS_CHROOT",
    "SYS_MODULE", "SYS_NICE",        "SYS_PACCT",        "SYS_PTRACE",
    "SYS_RAWIO",  "SYS_RESOURCE",    "SYS_TIME",         "SYS_TTY_CONFIG",
    "SYSLOG",     "WAKE_ALARM"};

constexpr std::array<std::string_view, 15> kUlimits = {
    "core",   "cpu",   "data", "fsize",  "locks",  "memlock",    "msgqueue", "nice",
    "nofile", "nproc", "rss",  "rtprio", "rttime", "sigpending", "stack"};

constexpr std::array<std::string_view, 9> kLogDrivers = {"awslogs",     "json-file", "none",
                                                         "awsfirelens", "splunk",    "syslog",
                                                         "journald",    "gelf",      "fluentd"};

constexpr std::array<std::string_view, 3> kFargateLogDrivers = {"awsfirelens", "awslogs", "splunk"};

template <size_t N>
bool IsOneOf(std::string_view text, const std::array<std::string_view, N>& words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

Result<> ValidateCapabilities(const KernelCapabilities& capabilities, const std::string& path,
                              bool is_fargate) {
  for (size_t i = 0; i < capabilities.add.size(); ++i) {
    const std::string& name = capabilities.add[i];
    std::string at = ElementPath(path + ".add", i);
    if (!IsOneOf(name, kCapabilities)) return Broken(at, "\"" + name + "\" is no capability");
    if (is_fargate && name != "SYS_PTRACE") {
      return Broken(at, "\"" + name + "\": Fargate only supports adding SYS_PTRACE.");
    }
  }
  for (size_t i = 0; i < capabilities.drop.size(); ++i) {
    const std::string& name = capabilities.drop[i];
    if (IsOneOf(name, kCapabilities)) continue;
    return Broken(ElementPath(path + ".drop", i), "\"" + name + "\" is no capability");
  }
  return {};
}

Result<> ValidateForFargate(const LinuxParameters& parameters, const std::string& path) {
  auto refuse = [&](const char* member) {
    return Broken(path + "." + member, "Fargate compatible task definitions do not support " +
                                           std::string(member) + ".");
  };
  if (!parameters.devices.empty()) return refuse("devices");
  if (parameters.shared_memory_size) return refuse("sharedMemorySize");
  if (!parameters.tmpfs.empty()) return refuse("tmpfs");
  if (parameters.max_swap_mib) return refuse("maxSwap");
  if (parameters.swappiness) return refuse("swappiness");
  return {};
}

Result<> ValidateMemoryMounts(const LinuxParameters& parameters, const std::string& path) {
  for (size_t i = 0; i < parameters.tmpfs.size(); ++i) {
    std::string at = ElementPath(path + ".tmpfs", i);
    if (!parameters.tmpfs[i].container_path.starts_with('/')) {
      return Broken(at + ".containerPath", "is not absolute");
    }
    if (parameters.tmpfs[i].size_mib <= 0) return Broken(at + ".size", "is not positive");
  }
  if (parameters.max_swap_mib && *parameters.max_swap_mib < -1) {
    return Broken(path + ".maxSwap", "is less than -1");
  }
  if (parameters.swappiness && (*parameters.swappiness < 0 || *parameters.swappiness > 100)) {
    return Broken(path + ".swappiness",
                  std::to_string(*parameters.swappiness) + " is not between 0 and 100");
  }
  return {};
}

Result<> ValidateDevices(const std::vector<Device>& devices, const std::string& path) {
  constexpr std::array<std::string_view, 3> kPermissions = {"read", "write", "mknod"};
  for (size_t i = 0; i < devices.size(); ++i) {
    std::string at = ElementPath(path, i);
    if (!devices[i].host_path.starts_with('/')) return Broken(at + ".hostPath", "is not absolute");
    for (const std::string& permission : devices[i].permissions) {
      if (IsOneOf(permission, kPermissions)) continue;
      return Broken(at + ".permissions", "\"" + permission + "\" is none of read, write, mknod");
    }
  }
  return {};
}

// -1 is "unlimited", the highest of all.
uint64_t Height(int64_t limit) { return static_cast<uint64_t>(limit); }

const std::string& OptionOf(const LogConfiguration& log, const char* name) {
  static const std::string kAbsent;
  auto found = log.options.find(name);
  return found == log.options.end() ? kAbsent : found->second;
}

Result<> ValidateAwslogs(const LogConfiguration& log, const std::string& path, bool is_fargate) {
  for (const char* name : {"awslogs-group", "awslogs-region"}) {
    if (OptionOf(log, name).empty()) {
      return Broken(path + ".options",
                    "Log driver awslogs requires option '" + std::string(name) + "'.");
    }
  }
  if (is_fargate && OptionOf(log, "awslogs-stream-prefix").empty()) {
    return Broken(path + ".options",
                  "Log driver awslogs requires option 'awslogs-stream-prefix' on Fargate.");
  }
  if (!OptionOf(log, "awslogs-datetime-format").empty() &&
      !OptionOf(log, "awslogs-multiline-pattern").empty()) {
    return Broken(path + ".options",
                  "awslogs-datetime-format and awslogs-multiline-pattern exclude each other");
  }
  const std::string& create = OptionOf(log, "awslogs-create-group");
  if (!create.empty() && create != "true" && create != "false") {
    return Broken(path + ".options.awslogs-create-group", "\"" + create + "\" is no boolean");
  }
  return {};
}

// "25m": a number and b, k, m or g.
bool IsSize(std::string_view text) {
  if (!text.empty() && std::string_view("bkmg").find(text.back()) != std::string_view::npos) {
    text.remove_suffix(1);
  }
  return ParseUint(text, UINT32_MAX).has_value();
}

}  // namespace

Result<> ValidateLinuxParameters(const LinuxParameters& parameters, const std::string& path,
                                 bool is_fargate) {
  if (parameters.capabilities) {
    TRY(ValidateCapabilities(*parameters.capabilities, path + ".capabilities", is_fargate));
  }
  if (is_fargate) TRY(ValidateForFargate(parameters, path));
  TRY(ValidateDevices(parameters.devices, path + ".devices"));
  return ValidateMemoryMounts(parameters, path);
}

Result<> ValidateUlimits(const std::vector<Ulimit>& ulimits, const std::string& path) {
  std::set<std::string> names;
  for (size_t i = 0; i < ulimits.size(); ++i) {
    const Ulimit& ulimit = ulimits[i];
    std::string at = ElementPath(path, i);
    if (!IsOneOf(ulimit.name, kUlimits)) {
      std::string known = Join({kUlimits.begin(), kUlimits.end()}, ", ");
      return Broken(at + ".name", "\"" + ulimit.name + "\" is none of " + known);
    }
    if (!names.insert(ulimit.name).second) {
      return Broken(at + ".name", "\"" + ulimit.name + "\" is given twice");
    }
    if (ulimit.soft_limit < -1 || ulimit.hard_limit < -1) {
      return Broken(at, ulimit.name + ": a limit is at least 0, or -1 for none");
    }
    if (Height(ulimit.soft_limit) > Height(ulimit.hard_limit)) {
      return Broken(at, ulimit.name + ": the soft limit " + std::to_string(ulimit.soft_limit) +
                            " is above the hard limit " + std::to_string(ulimit.hard_limit));
    }
  }
  return {};
}

Result<> ValidateLogConfiguration(const LogConfiguration& log, const std::string& path,
                                  bool is_fargate) {
  if (!IsOneOf(log.log_driver, kLogDrivers)) {
    std::string known = Join({kLogDrivers.begin(), kLogDrivers.end()}, ", ");
    return Broken(path + ".logDriver", "\"" + log.log_driver + "\" is none of " + known);
  }
  if (is_fargate && !IsOneOf(log.log_driver, kFargateLogDrivers)) {
    return Broken(path + ".logDriver",
                  "\"" + log.log_driver + "\": Fargate only supports awsfirelens, awslogs, splunk");
  }
  const std::string& mode = OptionOf(log, "mode");
  if (!mode.empty() && mode != "blocking" && mode != "non-blocking") {
    return Broken(path + ".options.mode", "\"" + mode + "\" is none of blocking, non-blocking");
  }
  const std::string& buffer = OptionOf(log, "max-buffer-size");
  if (!buffer.empty() && !IsSize(buffer)) {
    return Broken(path + ".options.max-buffer-size", "\"" + buffer + "\" is no size such as 25m");
  }
  if (log.log_driver != "awslogs") return {};
  return ValidateAwslogs(log, path, is_fargate);
}

}  // namespace skiff::runtime
