#include <array>

#include "isolation/base/json.h"
#include "isolation/base/text.h"
#include "isolation/oci/config_parts.h"
#include "isolation/oci/mount_options.h"

namespace skiff::isolation::oci {
namespace {

constexpr std::array<std::pair<std::string_view, NamespaceType>, 8> kNamespaces = {{
    {"pid", NamespaceType::kPid},
    {"network", NamespaceType::kNetwork},
    {"mount", NamespaceType::kMount},
    {"ipc", NamespaceType::kIpc},
    {"uts", NamespaceType::kUts},
    {"cgroup", NamespaceType::kCgroup},
    {"user", NamespaceType::kUser},
    {"time", NamespaceType::kTime},
}};

Result<> ParseNamespace(const JsonCursor& cursor, Config* config) {
  JsonCursor type = TRY(cursor.Get("type"));
  std::string name = TRY(type.String());
  std::optional<JsonCursor> path = TRY(cursor.Find("path"));
  std::string join;
  if (path) join = TRY(CleanString(*path));
  for (const auto& [known, value] : kNamespaces) {
    if (known != name) continue;
    if (!join.empty()) TRY(AbsolutePath(*path));
    if (!config->namespaces.emplace(value, join).second) return type.Invalid(name + " twice");
    return {};
  }
  return type.Invalid("unknown namespace type '" + name + "'");
}

Result<> ParseClocks(const JsonCursor& section, Config* config) {
  std::optional<JsonCursor> offsets = TRY(section.Find("timeOffsets"));
  if (!offsets) return {};
  auto members = TRY(offsets->Members());
  for (const auto& [name, cursor] : members) {
    ClockOffset offset;
    offset.is_boottime = name == "boottime";
    if (!offset.is_boottime && name != "monotonic")
      return cursor.Invalid("only boottime and monotonic have an offset");
    std::optional<int64_t> seconds = TRY(cursor.FindInteger("secs"));
    std::optional<int64_t> nanoseconds = TRY(cursor.FindInteger("nanosecs", 0, 999'999'999));
    offset.seconds = seconds.value_or(0);
    offset.nanoseconds = static_cast<uint32_t>(nanoseconds.value_or(0));
    config->clock_offsets.push_back(offset);
  }
  auto found = config->namespaces.find(NamespaceType::kTime);
  bool is_new = found != config->namespaces.end() && found->second.empty();
  if (!config->clock_offsets.empty() && !is_new)
    return offsets->Invalid("needs a new namespace of type time in linux.namespaces");
  return {};
}

Result<> ParsePersonality(const JsonCursor& section, Config* config) {
  std::optional<JsonCursor> personality = TRY(section.Find("personality"));
  if (!personality) return {};
  TRY(RefuseMembers(*personality, {"flags"}));  // the specification has none so far
  JsonCursor cursor = TRY(personality->Get("domain"));
  std::string domain = TRY(cursor.String());
  constexpr uint32_t kLinux32 = 8;  // PER_LINUX32
  if (domain != "LINUX" && domain != "LINUX32")
    return cursor.Invalid("'" + domain + "' is not LINUX or LINUX32");
  config->personality = domain == "LINUX" ? 0 : kLinux32;
  return {};
}

Result<> ParseNamespaces(const JsonCursor& section, Config* config) {
  TRY(ParseMappings(section, "uidMappings", &config->uid_mappings));
  TRY(ParseMappings(section, "gidMappings", &config->gid_mappings));
  std::vector<JsonCursor> namespaces = TRY(FindList(section, "namespaces"));
  for (const JsonCursor& cursor : namespaces) TRY(ParseNamespace(cursor, config));
  auto user = config->namespaces.find(NamespaceType::kUser);
  bool has_user = user != config->namespaces.end();
  if (!has_user && !(config->uid_mappings.empty() && config->gid_mappings.empty()))
    return section.Invalid("uidMappings and gidMappings need a namespace of type user");
  if (has_user && !config->namespaces.contains(NamespaceType::kMount)) {
    return section.Invalid(
        "namespaces: one of type mount is required beside that of type user, "
        "which has no right to mount in the caller's");
  }
  bool is_new_user = has_user && user->second.empty();
  if (is_new_user && (config->uid_mappings.empty() || config->gid_mappings.empty()))
    return section.Invalid("a namespace of type user needs uidMappings and gidMappings");
  return {};
}

Result<DeviceSpec> ParseDevice(const JsonCursor& cursor) {
  DeviceSpec device;
  JsonCursor path = TRY(cursor.Get("path"));
  device.path = TRY(AbsolutePath(path));
  JsonCursor type_cursor = TRY(cursor.Get("type"));
  std::string type = TRY(type_cursor.String());
  if (type != "c" && type != "u" && type != "b" && type != "p")
    return type_cursor.Invalid("device type '" + type + "' is not c, u, b or p");
  device.type = type == "u" ? 'c' : type[0];
  if (device.type != 'p') {  // a named pipe has no numbers
    JsonCursor major = TRY(cursor.Get("major"));
    JsonCursor minor = TRY(cursor.Get("minor"));
    device.major = static_cast<uint32_t>(TRY(major.Integer(0, kMaxUint32)));
    device.minor = static_cast<uint32_t>(TRY(minor.Integer(0, kMaxUint32)));
  }
  std::optional<int64_t> mode = TRY(cursor.FindInteger("fileMode", 0, kMaxUint32));
  std::optional<int64_t> uid = TRY(cursor.FindInteger("uid", 0, kMaxUint32 - 1));
  std::optional<int64_t> gid = TRY(cursor.FindInteger("gid", 0, kMaxUint32 - 1));
  // Some write the whole st_mode; the type stands in `type`.
  device.mode = static_cast<uint32_t>(mode.value_or(0666)) & 07777;
  device.uid = static_cast<uint32_t>(uid.value_or(0));
  device.gid = static_cast<uint32_t>(gid.value_or(0));
  return device;
}

// A sysctl that no namespace of the container holds would change the host.
bool IsNamespaced(std::string_view name, const Config& config) {
  auto has = [&](NamespaceType type) { return config.namespaces.contains(type); };
  if (name.rfind("net.", 0) == 0) return has(NamespaceType::kNetwork);
  // The host name has a member of its own.
  if (name == "kernel.domainname") return has(NamespaceType::kUts);
  constexpr std::string_view kIpc[] = {
      "kernel.msgmax",      "kernel.msgmnb",      "kernel.msgmni",      "kernel.sem",
      "kernel.shmall",      "kernel.shmmax",      "kernel.shmmni",      "kernel.shm_rmid_forced",
      "kernel.auto_msgmni", "kernel.msg_next_id", "kernel.sem_next_id", "kernel.shm_next_id"};
  bool is_ipc = name.rfind("fs.mqueue.", 0) == 0;
  for (std::string_view known : kIpc) is_ipc = is_ipc || known == name;
  return is_ipc && has(NamespaceType::kIpc);
}

Result<> ParseSysctls(const JsonCursor& section, Config* config) {
  std::optional<JsonCursor> sysctls = TRY(section.Find("sysctl"));
  if (!sysctls) return {};
  auto members = TRY(sysctls->Members());
  for (const auto& [name, cursor] : members) {
    std::string value = TRY(CleanString(cursor));
    constexpr std::string_view kLetters =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
    if (name.find_first_not_of(kLetters) != std::string::npos)
      return cursor.Invalid("not a sysctl name");
    if (!IsNamespaced(name, *config))
      return cursor.Invalid("belongs to no namespace of its own: it would change the host");
    config->sysctls.emplace_back(name, std::move(value));
  }
  return {};
}

// runc and crun pass over other letters, and some configurations have them.
Result<unsigned> ParseAccess(const JsonCursor& rule, std::vector<std::string>* warnings) {
  std::optional<JsonCursor> cursor = TRY(rule.Find("access"));
  if (!cursor) return kDeviceAll;
  std::string text = TRY(cursor->String());
  if (text.empty()) return kDeviceAll;
  unsigned access = 0;
  if (text.find('r') != std::string::npos) access |= kDeviceRead;
  if (text.find('w') != std::string::npos) access |= kDeviceWrite;
  if (text.find('m') != std::string::npos) access |= kDeviceMake;
  if (access == 0) return cursor->Invalid("'" + text + "' has none of r, w and m");
  if (text.find_first_not_of("rwm") != std::string::npos) {
    warnings->push_back(cursor->path() + ": '" + text +
                        "' has letters beside r, w and m, which are ignored");
  }
  return access;
}

Result<std::optional<uint32_t>> ParseDeviceNumber(const JsonCursor& rule, std::string_view name) {
  std::optional<int64_t> number = TRY(rule.FindInteger(name, -1, kMaxUint32));
  if (!number || *number == -1) return std::optional<uint32_t>();  // -1: every one
  return std::optional<uint32_t>(static_cast<uint32_t>(*number));
}

Result<DeviceRule> ParseDeviceRule(const JsonCursor& cursor, std::vector<std::string>* warnings) {
  DeviceRule rule;
  JsonCursor allow = TRY(cursor.Get("allow"));
  rule.is_allowed = TRY(allow.Boolean());
  std::optional<std::string> type = TRY(cursor.FindString("type"));
  std::string text = type.value_or("a");
  if (text.empty()) text = "a";
  if (text != "a" && text != "b" && text != "c" && text != "u")
    return cursor.Invalid("type: '" + text + "' is not a, b or c");
  rule.type = text == "u" ? 'c' : text[0];
  rule.major = TRY(ParseDeviceNumber(cursor, "major"));
  rule.minor = TRY(ParseDeviceNumber(cursor, "minor"));
  rule.access = TRY(ParseAccess(cursor, warnings));
  return rule;
}

void Note(const JsonCursor& section, std::string_view name, Resources* resources) {
  resources->limit_paths.push_back(section.path() + "." + std::string(name));
}

void AddFile(const JsonCursor& section, std::string_view name, CgroupFile file,
             Resources* resources) {
  Note(section, name, resources);
  file.asked_by = resources->limit_paths.back();
  resources->limits.files.push_back(std::move(file));
}

// A file that cgroup v2 has not.
CgroupFile LegacyFile(std::string name, std::string value) {
  CgroupFile file;
  file.legacy_name = std::move(name);
  file.legacy_value = std::move(value);
  return file;
}

// A file of the same content in both versions.
CgroupFile FileOfBoth(std::string name, std::string legacy_name, const std::string& value) {
  CgroupFile file = LegacyFile(std::move(legacy_name), value);
  file.name = std::move(name);
  file.value = value;
  return file;
}

// A limit where 0 says nothing and -1 takes away what there is, which asks for no cgroup.
Result<std::optional<uint64_t>> ParseLimit(const JsonCursor& section, const char* name,
                                           Resources* resources) {
  std::optional<int64_t> limit = TRY(section.FindInteger(name, -1));
  if (limit.value_or(0) == 0) return std::optional<uint64_t>();
  if (*limit < 0) return std::optional<uint64_t>(kUnlimited);
  Note(section, name, resources);
  return std::optional<uint64_t>(static_cast<uint64_t>(*limit));
}

// swap is memory and swap together; -1 does not limit it, and none leaves it as it is.
Result<> ParseSwap(const JsonCursor& memory, Resources* resources) {
  CgroupLimits* limits = &resources->limits;
  std::optional<JsonCursor> cursor = TRY(memory.Find("swap"));
  limits->swap_max.reset();
  if (!cursor) return {};
  int64_t together = TRY(cursor->Integer(-1));
  if (together < 0) limits->swap_max = kUnlimitedBytes;
  if (together <= 0) return {};
  // Only cgroup v1 has a limit of both together.
  if (!limits->memory_max) {
    AddFile(memory, "swap", LegacyFile("memory.memsw.limit_in_bytes", std::to_string(together)),
            resources);
    return {};
  }
  uint64_t both = static_cast<uint64_t>(together);
  if (both < limits->memory_max->count())
    return cursor->Invalid("is memory and swap together: it cannot be below the limit");
  limits->swap_max = Bytes(both - limits->memory_max->count());
  return {};
}

Result<> ParseMemory(const JsonCursor& memory, Resources* resources) {
  CgroupLimits& limits = resources->limits;
  std::optional<uint64_t> limit = TRY(ParseLimit(memory, "limit", resources));
  if (limit) limits.memory_max = Bytes(*limit);
  std::optional<uint64_t> reservation = TRY(ParseLimit(memory, "reservation", resources));
  if (reservation) limits.memory_low = Bytes(*reservation);
  TRY(ParseSwap(memory, resources));
  std::optional<int64_t> swappiness = TRY(memory.FindInteger("swappiness", 0, 200));
  if (swappiness) {
    AddFile(memory, "swappiness", LegacyFile("memory.swappiness", std::to_string(*swappiness)),
            resources);
  }
  std::optional<bool> survives = TRY(memory.FindBoolean("disableOOMKiller"));
  if (survives.value_or(false))
    AddFile(memory, "disableOOMKiller", LegacyFile("memory.oom_control", "1"), resources);
  for (const char* name : {"kernel", "kernelTCP"}) {
    std::optional<int64_t> kernel = TRY(memory.FindInteger(name, -1));
    if (kernel.value_or(-1) > 0) {
      resources->warnings.push_back(memory.path() + "." + name +
                                    ": is ignored: Linux has no limit of its own for it any more, "
                                    "the memory limit holds for both");
    }
  }
  std::optional<bool> checks = TRY(memory.FindBoolean("checkBeforeUpdate"));
  resources->checks_memory_use = checks.value_or(false);
  return {};  // useHierarchy is what every cgroup of today does
}

Result<> ParseCpu(const JsonCursor& cpu, Resources* resources) {
  CgroupLimits& limits = resources->limits;
  std::optional<int64_t> shares = TRY(cpu.FindInteger("shares", 0, 262'144));
  if (shares.value_or(0) > 0) {
    limits.cpu_shares = static_cast<uint64_t>(*shares);
    Note(cpu, "shares", resources);
  }
  std::optional<int64_t> period = TRY(cpu.FindInteger("period", 0, 1'000'000));
  if (period.value_or(0) > 0) limits.cpu_period_us = static_cast<uint64_t>(*period);
  limits.cpu_quota_us = TRY(ParseLimit(cpu, "quota", resources));
  for (auto [name, file] : {std::pair{"cpus", "cpuset.cpus"}, {"mems", "cpuset.mems"}}) {
    std::optional<std::string> list = TRY(cpu.FindString(name));
    if (list && !list->empty()) AddFile(cpu, name, FileOfBoth(file, file, *list), resources);
  }
  struct Number {
    const char* name;
    const char* file;
    const char* legacy;
  };
  // The real-time period before what must fit into it.
  for (const Number& known : {Number{"burst", "cpu.max.burst", "cpu.cfs_burst_us"},
                              {"idle", "cpu.idle", "cpu.idle"},
                              {"realtimePeriod", "", "cpu.rt_period_us"},
                              {"realtimeRuntime", "", "cpu.rt_runtime_us"}}) {
    std::optional<int64_t> number = TRY(cpu.FindInteger(known.name, 0));
    bool says_nothing = *known.file == 0 && number.value_or(0) == 0;
    if (number && !says_nothing)
      AddFile(cpu, known.name, FileOfBoth(known.file, known.legacy, std::to_string(*number)),
              resources);
  }
  return {};
}

Result<> ParsePids(const JsonCursor& pids, Resources* resources) {
  resources->limits.pids_max = TRY(ParseLimit(pids, "limit", resources));
  return {};
}

// "2MB": the kernel's name of the size in hugetlb.2MB.max.
Result<> ParseHugePages(const JsonCursor& resources, Resources* parsed) {
  std::vector<JsonCursor> limits = TRY(FindList(resources, "hugepageLimits"));
  for (const JsonCursor& cursor : limits) {
    JsonCursor size = TRY(cursor.Get("pageSize"));
    std::string name = TRY(size.String());
    bool is_size = name.size() > 2 && name.find_first_not_of("0123456789KMGB") == std::string::npos;
    if (!is_size) return size.Invalid("'" + name + "' is not a size such as 2MB");
    JsonCursor limit = TRY(cursor.Get("limit"));
    int64_t bytes = TRY(limit.Integer(0));
    std::string file = "hugetlb." + name;
    CgroupFile use = FileOfBoth(file + ".max", file + ".limit_in_bytes", std::to_string(bytes));
    // What is reserved is limited as well, since Linux 5.7.
    CgroupFile reserved = FileOfBoth(file + ".rsvd.max", file + ".rsvd.limit_in_bytes", use.value);
    reserved.other_name = use.name;
    reserved.other_value = use.value;
    reserved.legacy_other_name = use.legacy_name;
    AddFile(cursor, "limit", std::move(use), parsed);
    AddFile(cursor, "limit", std::move(reserved), parsed);
  }
  return {};
}

std::string DeviceName(uint32_t major, uint32_t minor) {
  return std::to_string(major) + ":" + std::to_string(minor);
}

Result<std::string> ParseBlockDevice(const JsonCursor& cursor) {
  JsonCursor major = TRY(cursor.Get("major"));
  JsonCursor minor = TRY(cursor.Get("minor"));
  auto major_number = static_cast<uint32_t>(TRY(major.Integer(0, kMaxUint32)));
  auto minor_number = static_cast<uint32_t>(TRY(minor.Integer(0, kMaxUint32)));
  return DeviceName(major_number, minor_number);
}

// By the BFQ scheduler's own file where there is one; else as everybody converts 10..1000 to
// 1..10000. "": of every device.
CgroupFile WeightFile(const std::string& device, int64_t weight) {
  int64_t converted = 1 + (weight - 10) * 9999 / 990;
  std::string key = device.empty() ? "default" : device;
  std::string suffix = device.empty() ? "" : "_device";
  CgroupFile file = {"io.bfq.weight", key + " " + std::to_string(weight), "io.weight",
                     key + " " + std::to_string(converted)};
  file.legacy_name = "blkio.weight" + suffix;
  file.legacy_other_name = "blkio.bfq.weight" + suffix;
  file.legacy_value = (device.empty() ? "" : device + " ") + std::to_string(weight);
  return file;
}

Result<> ParseLeafWeight(const JsonCursor& section, const std::string& device, Resources* parsed) {
  std::optional<int64_t> weight = TRY(section.FindInteger("leafWeight", 0, 1000));
  if (weight.value_or(0) == 0) return {};
  std::string suffix = device.empty() ? "" : "_device";
  std::string value = (device.empty() ? "" : device + " ") + std::to_string(*weight);
  AddFile(section, "leafWeight", LegacyFile("blkio.leaf_weight" + suffix, std::move(value)),
          parsed);
  return {};
}

struct Throttle {
  const char* name;
  const char* key;     // in io.max
  const char* legacy;  // in cgroup v1
};

Result<> ParseThrottle(const JsonCursor& io, const Throttle& throttle, Resources* parsed) {
  std::vector<JsonCursor> throttles = TRY(FindList(io, throttle.name));
  for (const JsonCursor& cursor : throttles) {
    std::string device = TRY(ParseBlockDevice(cursor));
    JsonCursor rate = TRY(cursor.Get("rate"));
    int64_t number = TRY(rate.Integer(0));
    std::string value = number == 0 ? "max" : std::to_string(number);
    CgroupFile file = LegacyFile(std::string("blkio.throttle.") + throttle.legacy,
                                 device + " " + std::to_string(number));
    file.name = "io.max";
    file.value = device + " " + throttle.key + "=" + value;
    AddFile(cursor, "rate", std::move(file), parsed);
  }
  return {};
}

Result<> ParseBlockIo(const JsonCursor& resources, Resources* parsed) {
  std::optional<JsonCursor> io = TRY(resources.Find("blockIO"));
  if (!io) return {};
  std::optional<int64_t> weight = TRY(io->FindInteger("weight", 0, 1000));
  if (weight.value_or(0) >= 10)
    AddFile(*io, "weight", WeightFile("", *weight), parsed);
  else if (weight.value_or(0) != 0)
    return io->Invalid("weight: is below 10");
  TRY(ParseLeafWeight(*io, "", parsed));
  std::vector<JsonCursor> devices = TRY(FindList(*io, "weightDevice"));
  for (const JsonCursor& cursor : devices) {
    std::string device = TRY(ParseBlockDevice(cursor));
    std::optional<int64_t> own = TRY(cursor.FindInteger("weight", 10, 1000));
    if (own) AddFile(cursor, "weight", WeightFile(device, *own), parsed);
    TRY(ParseLeafWeight(cursor, device, parsed));
  }
  for (const Throttle& throttle : {Throttle{"throttleReadBpsDevice", "rbps", "read_bps_device"},
                                   {"throttleWriteBpsDevice", "wbps", "write_bps_device"},
                                   {"throttleReadIOPSDevice", "riops", "read_iops_device"},
                                   {"throttleWriteIOPSDevice", "wiops", "write_iops_device"}}) {
    TRY(ParseThrottle(*io, throttle, parsed));
  }
  return {};
}

Result<> ParseRdma(const JsonCursor& resources, Resources* parsed) {
  std::optional<JsonCursor> rdma = TRY(resources.Find("rdma"));
  if (!rdma) return {};
  auto members = TRY(rdma->Members());
  for (const auto& [device, cursor] : members) {
    if (device.find_first_of(" \n") != std::string::npos)
      return cursor.Invalid("not the name of a device");
    std::string value = device;
    for (auto [name, key] : {std::pair{"hcaHandles", "hca_handle"}, {"hcaObjects", "hca_object"}}) {
      std::optional<int64_t> number = TRY(cursor.FindInteger(name, 0, kMaxUint32));
      if (number) value += std::string(" ") + key + "=" + std::to_string(*number);
    }
    AddFile(*rdma, device, {"rdma.max", value}, parsed);
  }
  return {};
}

Result<> ParseNetworkIds(const JsonCursor& resources, Resources* parsed) {
  std::optional<JsonCursor> network = TRY(resources.Find("network"));
  if (!network) return {};
  std::optional<int64_t> id = TRY(network->FindInteger("classID", 0, kMaxUint32));
  if (id) AddFile(*network, "classID", LegacyFile("net_cls.classid", std::to_string(*id)), parsed);
  std::vector<JsonCursor> priorities = TRY(FindList(*network, "priorities"));
  for (const JsonCursor& cursor : priorities) {
    JsonCursor name = TRY(cursor.Get("name"));
    std::string interface = TRY(CleanString(name));
    if (interface.empty() || interface.find_first_of(" \n") != std::string::npos)
      return name.Invalid("not the name of an interface");
    JsonCursor priority = TRY(cursor.Get("priority"));
    int64_t number = TRY(priority.Integer(0, kMaxUint32));
    AddFile(cursor, "priority",
            LegacyFile("net_prio.ifpriomap", interface + " " + std::to_string(number)), parsed);
  }
  return {};
}

Result<> ParseUnified(const JsonCursor& resources, Resources* parsed) {
  std::optional<JsonCursor> unified = TRY(resources.Find("unified"));
  if (!unified) return {};
  auto members = TRY(unified->Members());
  for (const auto& [name, cursor] : members) {
    std::string value = TRY(CleanString(cursor));
    AddFile(*unified, name, {name, std::move(value)}, parsed);
  }
  return {};
}

Result<> ParseResources(const JsonCursor& section, Config* config) {
  std::optional<JsonCursor> resources = TRY(section.Find("resources"));
  if (!resources) return {};
  return ParseResourceMembers(*resources, &config->resources);
}

Result<> ParsePropagation(const JsonCursor& section, Config* config) {
  std::optional<JsonCursor> cursor = TRY(section.Find("rootfsPropagation"));
  if (!cursor) return {};
  config->root_propagation = TRY(cursor->String());
  bool is_known = config->root_propagation.empty() || PropagationByName(config->root_propagation);
  if (is_known) return {};
  return cursor->Invalid("'" + config->root_propagation +
                         "' is not shared, slave, private or unbindable, with or without an r");
}

// An empty one asks for a group of the container's own, too.
Result<> RefuseIntelRdt(const JsonCursor& section) {
  std::optional<JsonCursor> rdt = TRY(section.Find("intelRdt"));
  if (!rdt) return {};
  TRY(RefuseMembers(*rdt, {"closID", "schemata", "l3CacheSchema", "memBwSchema", "enableMonitoring",
                           "enableCMT", "enableMBM"}));
  return rdt->Invalid("not supported by skiff-oci");
}

Result<> ParsePaths(const JsonCursor& section, std::string_view name,
                    std::vector<std::string>* paths) {
  std::vector<JsonCursor> elements = TRY(FindList(section, name));
  for (const JsonCursor& element : elements) {
    std::string path = TRY(AbsolutePath(element));
    paths->push_back(std::move(path));
  }
  return {};
}

Result<> ParseCgroupsPath(const JsonCursor& section, Config* config) {
  std::optional<JsonCursor> cursor = TRY(section.Find("cgroupsPath"));
  if (!cursor) return {};
  config->cgroups_path = TRY(CleanString(*cursor));
  for (std::string_view part : Split(config->cgroups_path, '/')) {
    if (part == "..") return cursor->Invalid("must not hold '..'");
  }
  return {};
}

}  // namespace

Result<> ParseMappings(const JsonCursor& section, std::string_view name,
                       std::vector<IdMapping>* mappings) {
  constexpr size_t kMaxMappings = 340;  // the kernel's: user_namespaces(7)
  std::vector<JsonCursor> elements = TRY(FindList(section, name));
  if (elements.size() > kMaxMappings)
    return section.Invalid(std::string(name) + ": more than 340 entries");
  for (const JsonCursor& cursor : elements) {
    JsonCursor inside = TRY(cursor.Get("containerID"));
    JsonCursor outside = TRY(cursor.Get("hostID"));
    JsonCursor size = TRY(cursor.Get("size"));
    IdMapping mapping;
    mapping.inside = static_cast<uint32_t>(TRY(inside.Integer(0, kMaxUint32 - 1)));
    mapping.outside = static_cast<uint32_t>(TRY(outside.Integer(0, kMaxUint32 - 1)));
    mapping.size = static_cast<uint32_t>(TRY(size.Integer(1, kMaxUint32)));
    mappings->push_back(mapping);
  }
  return {};
}

Result<> ParseResourceMembers(const JsonCursor& resources, Resources* parsed) {
  std::optional<JsonCursor> memory = TRY(resources.Find("memory"));
  if (memory) TRY(ParseMemory(*memory, parsed));
  std::optional<JsonCursor> cpu = TRY(resources.Find("cpu"));
  if (cpu) TRY(ParseCpu(*cpu, parsed));
  std::optional<JsonCursor> pids = TRY(resources.Find("pids"));
  if (pids) TRY(ParsePids(*pids, parsed));
  TRY(ParseHugePages(resources, parsed));
  TRY(ParseBlockIo(resources, parsed));
  TRY(ParseRdma(resources, parsed));
  TRY(ParseUnified(resources, parsed));
  std::vector<JsonCursor> rules = TRY(FindList(resources, "devices"));
  for (const JsonCursor& cursor : rules) {
    DeviceRule rule = TRY(ParseDeviceRule(cursor, &parsed->warnings));
    parsed->device_rules.push_back(rule);
  }
  return ParseNetworkIds(resources, parsed);
}

Result<> ParseLinux(const JsonCursor& section, Config* config) {
  TRY(ParseNamespaces(section, config));
  TRY(ParseClocks(section, config));
  TRY(ParsePersonality(section, config));
  TRY(ParseMemoryPolicy(section, config));
  TRY(ParseNetDevices(section, config));
  TRY(RefuseIntelRdt(section));
  std::optional<JsonCursor> label = TRY(section.Find("mountLabel"));
  if (label) config->mount_label = TRY(CleanString(*label));
  std::vector<JsonCursor> devices = TRY(FindList(section, "devices"));
  for (const JsonCursor& cursor : devices) {
    DeviceSpec device = TRY(ParseDevice(cursor));
    config->devices.push_back(std::move(device));
  }
  TRY(ParseSysctls(section, config));
  TRY(ParseCgroupsPath(section, config));
  TRY(ParseResources(section, config));
  TRY(ParsePropagation(section, config));
  TRY(ParsePaths(section, "maskedPaths", &config->masked_paths));
  TRY(ParsePaths(section, "readonlyPaths", &config->readonly_paths));
  std::optional<JsonCursor> seccomp = TRY(section.Find("seccomp"));
  if (seccomp) config->seccomp = TRY(ParseSeccomp(*seccomp));
  return {};
}

}  // namespace skiff::isolation::oci
