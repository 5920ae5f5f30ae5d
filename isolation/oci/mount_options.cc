#include "isolation/oci/mount_options.h"

#include <linux/mount.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace skiff::isolation::oci {
namespace {

struct AttributeOption {
  std::string_view name;
  uint64_t set;
  uint64_t clear;
};
// Also in their recursive form, with an "r" in front (1.1 of the specification).
constexpr std::array<AttributeOption, 15> kAttributes = {{
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
    {"relatime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
    {"strictatime", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME},
    {"nodiratime", MOUNT_ATTR_NODIRATIME, 0},
    {"diratime", 0, MOUNT_ATTR_NODIRATIME},
}};
// Say what is so anyway: every mount of a container is private to it.
constexpr std::string_view kNothing[] = {"defaults", "private", "rprivate", "notmpcopyup", "async"};
constexpr std::string_view kRefused[] = {"shared",     "rshared",     "slave", "rslave",
                                         "unbindable", "runbindable", "idmap", "ridmap",
                                         "remount",    "tmpcopyup",   "mand",  "iversion"};

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

struct Attributes {
  uint64_t plain = 0;
  uint64_t recursive = 0;
};

bool Apply(std::string_view option, Attributes* attributes) {
  for (const AttributeOption& known : kAttributes) {
    bool is_plain = option == known.name;
    bool is_recursive = option.size() == known.name.size() + 1 && option[0] == 'r' &&
                        option.substr(1) == known.name;
    if (!is_plain && !is_recursive) continue;
    uint64_t& mask = is_plain ? attributes->plain : attributes->recursive;
    mask = (mask & ~known.clear) | known.set;
    return true;
  }
  return false;
}

// The kernel takes one set of attributes for the mount alone or for all below it.
Result<> Settle(const Mount& mount, const Attributes& attributes, MountSpec* spec) {
  spec->attributes = attributes.plain | attributes.recursive;
  spec->is_attributes_recursive = attributes.recursive != 0;
  bool is_mixed = attributes.recursive != 0 && (attributes.plain & ~attributes.recursive) != 0;
  if (spec->is_recursive && is_mixed) {
    return Error(Code::kInvalid, mount.path +
                                     ".options: recursive attributes (rro) and others "
                                     "(nosuid) on one rbind are not supported");
  }
  return {};
}

Result<> AddParameter(const Mount& mount, const std::string& option, MountSpec* spec) {
  if (spec->kind == MountSpec::Kind::kBind)
    return BadOption(mount, option, "is not an option of a bind");
  size_t equals = option.find('=');
  std::string key = option.substr(0, equals);
  std::string value = equals == std::string::npos ? "" : option.substr(equals + 1);
  if (key.empty() || (equals != std::string::npos && value.empty()))
    return BadOption(mount, option, "is not of the form key=value");
  spec->options.emplace_back(std::move(key), std::move(value));
  return {};
}

Result<> SetKind(const Mount& mount, const std::string& bundle, MountSpec* spec) {
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

std::vector<std::string> KnownMountOptions() {
  std::vector<std::string> names = {"bind", "rbind"};
  for (std::string_view word : kNothing) names.emplace_back(word);
  for (const AttributeOption& option : kAttributes) {
    names.emplace_back(option.name);
    names.push_back("r" + std::string(option.name));
  }
  std::sort(names.begin(), names.end());
  return names;
}

Result<MountSpec> ParseMountOptions(const Mount& mount, const std::string& bundle) {
  MountSpec spec;
  spec.target = mount.destination;
  TRY(SetKind(mount, bundle, &spec));
  Attributes attributes;
  for (const std::string& option : mount.options) {
    if (option == "bind" || option == "rbind" || Lists(kNothing, option)) continue;
    if (Lists(kRefused, option)) return BadOption(mount, option, "is not supported by skiff-oci");
    if (Apply(option, &attributes)) continue;
    TRY(AddParameter(mount, option, &spec));
  }
  TRY(Settle(mount, attributes, &spec));
  return spec;
}

}  // namespace skiff::isolation::oci
