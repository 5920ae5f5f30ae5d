#include "isolation/oci/seccomp.h"

#include <fcntl.h>
#include <seccomp.h>

#include <array>
#include <cerrno>

#include "isolation/base/text.h"
#include "isolation/oci/limits.h"
#include "isolation/seccomp_filter.h"
#include "isolation/sys/file.h"

namespace skiff::isolation::oci {
namespace {

scmp_arg_cmp ToLibrary(const SeccompArgument& argument) {
  return {argument.index, static_cast<scmp_compare>(argument.comparison), argument.value,
          argument.value_two};
}

// libseccomp takes one condition an argument; further ones on the same argument are alternatives,
// as runc and crun read them.
bool RepeatsAnArgument(const std::vector<SeccompArgument>& arguments) {
  unsigned seen = 0;
  for (const SeccompArgument& argument : arguments) {
    unsigned bit = 1U << argument.index;
    if ((seen & bit) != 0) return true;
    seen |= bit;
  }
  return false;
}

Result<> AddConditions(void* filter, SeccompAction action, int call, const std::string& name,
                       const std::vector<scmp_arg_cmp>& conditions) {
  int added = seccomp_rule_add_array(filter, action, call, static_cast<unsigned>(conditions.size()),
                                     conditions.empty() ? nullptr : conditions.data());
  // A call that none of the filter's architectures has.
  if (added == -EDOM) return {};
  return CheckSeccomp(added, name);
}

Result<> AddRule(void* filter, const SeccompRule& rule) {
  std::vector<scmp_arg_cmp> conditions;
  for (const SeccompArgument& argument : rule.arguments) conditions.push_back(ToLibrary(argument));
  bool is_split = RepeatsAnArgument(rule.arguments);
  for (const std::string& name : rule.names) {
    int call = seccomp_syscall_resolve_name(name.c_str());
    if (call == __NR_SCMP_ERROR) continue;
    if (!is_split) {
      TRY(AddConditions(filter, rule.action, call, name, conditions));
      continue;
    }
    for (const scmp_arg_cmp& condition : conditions)
      TRY(AddConditions(filter, rule.action, call, name, {condition}));
  }
  return {};
}

// FNV-1a. Only names the file: what it holds is compared in full.
uint64_t HashText(std::string_view text) {
  uint64_t hash = 14'695'981'039'346'656'037ULL;
  for (char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1'099'511'628'211ULL;
  return hash;
}

std::string CachePath(const std::string& directory, const std::string& description) {
  uint64_t hash = HashText(description);
  return directory + "/seccomp-" + HexEncode(&hash, sizeof(hash));
}

// The description, an empty line, the program.
Result<SeccompProgram> ReadCached(const std::string& path, const std::string& description) {
  std::string text = TRY(sys::ReadFile(AT_FDCWD, path, kMaxSeccompCacheFile));
  if (text.rfind(description, 0) != 0) return Error(Code::kConflict, path + ": another profile's");
  return SeccompProgramFromBytes(std::string_view(text).substr(description.size()));
}

}  // namespace

std::string DescribeSeccomp(const SeccompProfile& profile) {
  const scmp_version* library = seccomp_version();
  std::string text = "libseccomp " + std::to_string(library->major) + "." +
                     std::to_string(library->minor) + "." + std::to_string(library->micro) +
                     " on " + std::to_string(seccomp_arch_native()) + "\ndefault " +
                     std::to_string(profile.default_action) + "\n";
  for (uint32_t architecture : profile.architectures)
    text += "arch " + std::to_string(architecture) + "\n";
  for (const SeccompRule& rule : profile.rules) {
    text += "rule " + std::to_string(rule.action);
    for (const SeccompArgument& argument : rule.arguments) {
      text += " [" + std::to_string(argument.index) + " " + std::to_string(argument.comparison) +
              " " + std::to_string(argument.value) + " " + std::to_string(argument.value_two) + "]";
    }
    for (const std::string& name : rule.names) text.append(" ").append(name);
    text += "\n";
  }
  return text + "\n";
}

Result<SeccompProgram> CompileSeccomp(const SeccompProfile& profile) {
  SeccompFilter filter(seccomp_init(profile.default_action));
  if (!filter) return Error(Code::kInvalid, "seccomp: libseccomp refuses the default action");
  // A binary tree loads in half the time of the linear program.
  TRY(CheckSeccomp(seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2), "optimisation"));
  for (uint32_t architecture : profile.architectures) {
    int added = seccomp_arch_add(filter.get(), architecture);
    if (added != -EEXIST) TRY(CheckSeccomp(added, "architecture " + std::to_string(architecture)));
  }
  for (const SeccompRule& rule : profile.rules) {
    if (rule.action != profile.default_action) TRY(AddRule(filter.get(), rule));
  }
  return ExportSeccomp(filter.get());
}

Result<SeccompProgram> LoadSeccomp(const SeccompProfile& profile,
                                   const std::string& cache_directory) {
  std::string description = DescribeSeccomp(profile);
  std::string path = CachePath(cache_directory, description);
  Result<SeccompProgram> cached = ReadCached(path, description);
  if (cached.ok()) return cached;
  SeccompProgram program = TRY(CompileSeccomp(profile));
  Result<> made = sys::MakeDirectories(cache_directory, 0700);
  // A cache that cannot be written costs time, not correctness.
  if (made.ok()) {
    sys::StoreFile(AT_FDCWD, path, description + std::string(BytesOfSeccompProgram(program)))
        .Ignore();
  }
  return program;
}

}  // namespace skiff::isolation::oci
