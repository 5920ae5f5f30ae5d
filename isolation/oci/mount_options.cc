#include "isolation/oci/mount_options.h"

#include <linux/mount.h>

#include <algorithm>
#include <array>
#include <utility>

#include "isolation/base/text.h"

namespace skiff::isolation::oci {
namespace {

struct AttributeOption {
  std::string_view name;
  uint64_t set;
  uint64_t clear;
};
// Also in their recursive form, with an "r" in front (1.1 of the specification).
constexpr std::array<AttributeOption, 18> kAttributes = {{
    {"ro", MOUNT_ATTR_RDONLY, 0},
    {"rw", 0, MOUNT_ATTR_RDONLY},
    {"nosuid", MOUNT_ATTR_NOSUID, 0},
    {"suid", 0, MOUNT_ATTR_NOSUID},
    {"nodev", MOUNT_ATTR_NODEV, 0},
    {"dev", 0, MOUNT_ATTR_NODEV},
    {"noexec", MOUNT_ATTR_NOEXEC, 0},
    {"exec", 0, MOUNT_ATTR_NOEXEC},
    {"nosymfollow", MOUNT_ATTR_NOSYMFOLLOW, 0},
    {"symfollow", 0, MOUNT_ATTR_NOSYMFOLLOW},
    {"noatime", MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME},
    {"atime", 0, MOUNT_ATTR__ATIME},
    {"relatime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
    {"strictatime", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME},
    {"nostrictatime", 0, MOUNT_ATTR__ATIME},
    {"norelatime", 0, MOUNT_ATTR__ATIME},
    {"nodiratime", MOUNT_ATTR_NODIRATIME, 0},
    {"diratime", 0, MOUNT_ATTR_NODIRATIME},
}};
// Say what is so anyway, or what the kernel has not listened to for years.
constexpr std::string_view kNothing[] = {"defaults", "notmpcopyup", "async",      "nomand", "mand",
                                         "silent",   "loud",        "iversion",   "acl",    "noacl",
                                         "auto",     "noauto",      "noiversion", "nofail"};
// Of the file system, hence nothing that a bind could set: mount(2) passes over them there.
constexpr std::string_view kFilesystem[] = {"sync", "dirsync", "lazytime", "nolazytime"};

struct PropagationOption {
  std::string_view name;
  uint64_t value;
};
constexpr PropagationOption kPropagation[] = {{"shared", 1 << 20},  // MS_SHARED and its neighbours
                                              {"slave", 1 << 19},
                                              {"private", 1 << 18},
                                              {"unbindable", 1 << 17}};

template <typename List>
bool Lists(const List& list, std::string_view word) {
  for (std::string_view candidate : list) {
    if (candidate == word) return true;
  }
  return false;
}

Error BadOption(const Mount& mount, const std::string& option, const std::string& problem) {
  return Error(Code::kInvalid, mount.path + ".options: '" + option + "' " + problem);
}

void Adjust(const AttributeOption& option, uint64_t* set, uint64_t* cleared) {
  *set = (*set & ~option.clear) | option.set;
  *cleared = (*cleared & ~option.set) | option.clear;
}

bool ApplyAttribute(std::string_view option, MountSpec* spec) {
  for (const AttributeOption& known : kAttributes) {
    if (option == known.name) {
      Adjust(known, &spec->attributes, &spec->cleared_attributes);
      return true;
    }
    if (option.size() == known.name.size() + 1 && option[0] == 'r' &&
        option.substr(1) == known.name) {
      Adjust(known, &spec->recursive_attributes, &spec->recursive_cleared_attributes);
      return true;
    }
  }
  return false;
}

// "0-1000-1": from, to and how many; several with "#" between. "@" before one: its second number is
// the container's own, to be found through the container's user namespace.
Result<std::vector<IdMapping>> ParseIdTriples(const Mount& mount, std::string_view text,
                                              const std::vector<IdMapping>& container) {
  std::vector<IdMapping> mappings;
  for (std::string_view piece : Split(text, '#')) {
    bool is_relative = !piece.empty() && piece[0] == '@';
    if (is_relative || (!piece.empty() && piece[0] == '+')) piece.remove_prefix(1);
    std::vector<std::string_view> numbers = Split(piece, '-');
    constexpr uint64_t kMaxId = UINT32_MAX - 1;
    std::optional<uint64_t> parts[3];
    for (size_t i = 0; i < 3 && numbers.size() == 3; ++i) parts[i] = ParseUint(numbers[i], kMaxId);
    if (!parts[0] || !parts[1] || !parts[2] || *parts[2] == 0)
      return BadOption(mount, "idmap", "holds '" + std::string(piece) + "', not FROM-TO-SIZE");
    IdMapping mapping{static_cast<uint32_t>(*parts[0]), static_cast<uint32_t>(*parts[1]),
                      static_cast<uint32_t>(*parts[2])};
    if (is_relative) mapping.outside = OutsideId(container, mapping.outside);
    mappings.push_back(mapping);
  }
  return mappings;
}

// crun's "idmap=uids=0-1-10#10-100-10;gids=0-1-10".
Result<> ParseIdOption(const Mount& mount, std::string_view text, const Config& config,
                       IdMap* map) {
  for (std::string_view part : Split(text, ';')) {
    bool is_uids = part.rfind("uids=", 0) == 0;
    if (!is_uids && part.rfind("gids=", 0) != 0)
      return BadOption(mount, "idmap", "holds '" + std::string(part) + "', not uids= or gids=");
    part.remove_prefix(5);
    (is_uids ? map->uids : map->gids) =
        TRY(ParseIdTriples(mount, part, is_uids ? config.uid_mappings : config.gid_mappings));
  }
  return {};
}

bool IsInside(const std::vector<IdMapping>& container, uint32_t outside) {
  for (const IdMapping& each : container) {
    if (outside >= each.outside && outside - each.outside < each.size) return true;
  }
  return false;
}

// crun up to 1.8 read a mount's mappings the other way round than later versions and runc do. What
// only makes sense so, since it leads to ids that the container has, is taken so.
void TurnOldMappings(const std::vector<IdMapping>& container, std::vector<IdMapping>* mappings) {
  const IdMapping& first = mappings->front();
  bool is_old = !IsInside(container, first.outside) && IsInside(container, first.inside);
  if (!is_old) return;
  for (IdMapping& mapping : *mappings) std::swap(mapping.inside, mapping.outside);
}

Result<> SettleIdMap(const Mount& mount, const Config& config, MountSpec* spec) {
  std::optional<IdMap> map;
  for (const std::string& option : mount.options) {
    bool is_plain = option == "idmap" || option.rfind("idmap=", 0) == 0;
    bool is_recursive = option == "ridmap" || option.rfind("ridmap=", 0) == 0;
    if (!is_plain && !is_recursive) continue;
    if (!map) map.emplace();
    map->is_recursive = is_recursive;
    size_t equals = option.find('=');
    if (equals != std::string::npos)
      TRY(ParseIdOption(mount, std::string_view(option).substr(equals + 1), config, &*map));
  }
  bool has_mappings = !mount.uid_mappings.empty() || !mount.gid_mappings.empty();
  if (!map && !has_mappings) return {};
  if (spec->kind != MountSpec::Kind::kBind)
    return Error(Code::kInvalid, mount.path + ": only a bind can show other ids");
  if (!map) map.emplace();
  if (has_mappings) {
    map->uids = mount.uid_mappings;
    map->gids = mount.gid_mappings;
    if (map->uids.empty() || map->gids.empty())
      return Error(Code::kInvalid, mount.path + ": needs both uidMappings and gidMappings");
    TurnOldMappings(config.uid_mappings, &map->uids);
    TurnOldMappings(config.gid_mappings, &map->gids);
  }
  if (map->uids.empty()) map->uids = config.uid_mappings;
  if (map->gids.empty()) map->gids = config.gid_mappings;
  if (map->uids.empty() || map->gids.empty())
    return BadOption(mount, "idmap", "needs mappings, the mount's own or linux.uidMappings");
  spec->id_map = std::move(map);
  return {};
}

Result<> AddParameter(const Mount& mount, const std::string& option, MountSpec* spec) {
  size_t equals = option.find('=');
  bool is_bind = spec->kind == MountSpec::Kind::kBind;
  // Configurations have a file system's parameters on binds, where the kernel reads none.
  if (is_bind && equals != std::string::npos) return {};
  if (is_bind || spec->kind == MountSpec::Kind::kRemount)
    return BadOption(mount, option,
                     std::string("is not an option of a ") + (is_bind ? "bind" : "remount"));
  std::string key = option.substr(0, equals);
  std::string value = equals == std::string::npos ? "" : option.substr(equals + 1);
  if (key.empty() || (equals != std::string::npos && value.empty()))
    return BadOption(mount, option, "is not of the form key=value");
  spec->options.emplace_back(std::move(key), std::move(value));
  return {};
}

// procfs and sysfs have labels of their own. An mqueue is there before it is mounted, and takes
// none at that time any more.
void AddLabel(const Config& config, MountSpec* spec) {
  bool is_labelled = !config.mount_label.empty() && spec->kind == MountSpec::Kind::kFilesystem &&
                     spec->type != "proc" && spec->type != "sysfs";
  for (const auto& [key, value] : spec->options) is_labelled = is_labelled && key != "context";
  if (!is_labelled) return;
  if (spec->type == "mqueue") {
    spec->root_label = config.mount_label;
  } else {
    spec->options.emplace_back("context", config.mount_label);
  }
}

Result<> SetKind(const Mount& mount, const std::string& bundle, MountSpec* spec) {
  if (Lists(mount.options, "remount")) {
    spec->kind = MountSpec::Kind::kRemount;
    return {};
  }
  bool is_recursive = Lists(mount.options, "rbind");
  bool is_bind = is_recursive || Lists(mount.options, "bind") || mount.type == "bind";
  if (is_bind) {
    if (mount.source.empty()) return Error(Code::kInvalid, mount.path + ".source: missing");
    spec->kind = MountSpec::Kind::kBind;
    spec->is_recursive = is_recursive;
    spec->source = mount.source[0] == '/' ? mount.source : bundle + "/" + mount.source;
    return {};
  }
  if (mount.type.empty() || mount.type == "none")
    return Error(Code::kInvalid, mount.path + ".type: missing");
  bool is_cgroup = mount.type == "cgroup" || mount.type == "cgroup2";
  spec->kind = is_cgroup ? MountSpec::Kind::kCgroup : MountSpec::Kind::kFilesystem;
  spec->type = mount.type;  // of a cgroup: settled when its group is known (run.cc)
  if (!mount.source.empty()) spec->options.emplace_back("source", mount.source);
  return {};
}

}  // namespace

std::optional<Propagation> PropagationByName(std::string_view name) {
  for (const PropagationOption& known : kPropagation) {
    if (name == known.name) return Propagation{known.value, false};
    if (name.size() == known.name.size() + 1 && name[0] == 'r' && name.substr(1) == known.name)
      return Propagation{known.value, true};
  }
  return std::nullopt;
}

std::vector<std::string> KnownMountOptions() {
  std::vector<std::string> names = {"bind", "rbind", "idmap", "ridmap", "remount", "tmpcopyup"};
  for (std::string_view word : kNothing) names.emplace_back(word);
  for (std::string_view word : kFilesystem) names.emplace_back(word);
  for (const AttributeOption& option : kAttributes) {
    names.emplace_back(option.name);
    names.push_back("r" + std::string(option.name));
  }
  for (const PropagationOption& option : kPropagation) {
    names.emplace_back(option.name);
    names.push_back("r" + std::string(option.name));
  }
  std::sort(names.begin(), names.end());
  return names;
}

Result<MountSpec> ParseMountOptions(const Mount& mount, const std::string& bundle,
                                    const Config& config) {
  MountSpec spec;
  spec.target = mount.destination;
  TRY(SetKind(mount, bundle, &spec));
  spec.is_attributes_recursive = false;
  bool is_bind = spec.kind != MountSpec::Kind::kFilesystem;
  for (const std::string& option : mount.options) {
    bool is_settled = option == "bind" || option == "rbind" || option == "remount" ||
                      Lists(kNothing, option) || (is_bind && Lists(kFilesystem, option)) ||
                      option.rfind("idmap", 0) == 0 || option.rfind("ridmap", 0) == 0;
    if (is_settled || ApplyAttribute(option, &spec)) continue;
    std::optional<Propagation> propagation = PropagationByName(option);
    if (propagation) {
      spec.propagation = propagation->value;
      spec.is_propagation_recursive = propagation->is_recursive;
    } else if (option == "tmpcopyup") {
      if (mount.type != "tmpfs") return BadOption(mount, option, "is for a tmpfs");
      spec.copies_up = true;
    } else {
      TRY(AddParameter(mount, option, &spec));
    }
  }
  // A file system that is new has nothing below it.
  if (!is_bind) spec.attributes |= spec.recursive_attributes;
  TRY(SettleIdMap(mount, config, &spec));
  AddLabel(config, &spec);
  return spec;
}

}  // namespace skiff::isolation::oci
