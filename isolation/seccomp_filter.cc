#include "isolation/seccomp_filter.h"

#include <linux/filter.h>
#include <seccomp.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstring>

#include "isolation/sys/file.h"

namespace skiff::isolation {

static_assert(sizeof(SeccompInstruction) == sizeof(sock_filter));

void ReleaseSeccompFilter::operator()(void* filter) const { seccomp_release(filter); }

Result<> CheckSeccomp(int result, std::string_view what) {
  if (result == 0) return {};
  return Error::FromErrno(-result, "seccomp " + std::string(what));
}

Result<SeccompProgram> ExportSeccomp(void* filter) {
  UniqueFd memory(memfd_create("seccomp", MFD_CLOEXEC));
  if (!memory.valid()) return Error::FromErrno(errno, "memfd_create");
  TRY(CheckSeccomp(seccomp_export_bpf(filter, memory.get()), "export"));
  if (lseek(memory.get(), 0, SEEK_SET) != 0) return Error::FromErrno(errno, "lseek");
  std::string bytes = TRY(sys::ReadAll(memory.get(), "compiled seccomp filter"));
  return SeccompProgramFromBytes(bytes);
}

Result<SeccompProgram> CompileAllowList(std::span<const char* const> calls, bool threads) {
  SeccompFilter filter(seccomp_init(SCMP_ACT_ERRNO(ENOSYS)));
  if (!filter) return Error(Code::kExhausted, "seccomp: no memory for a filter");
  for (const char* call : calls) {
    int number = seccomp_syscall_resolve_name(call);
    if (number < 0) continue;
    TRY(CheckSeccomp(seccomp_rule_add_array(filter.get(), SCMP_ACT_ALLOW, number, 0, nullptr),
                     call));
  }
  if (threads) {
    constexpr uint64_t kThread = 0x00010000;  // CLONE_THREAD
    const scmp_arg_cmp is_thread = SCMP_A0(SCMP_CMP_MASKED_EQ, kThread, kThread);
    TRY(CheckSeccomp(
        seccomp_rule_add_array(filter.get(), SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, &is_thread),
        "clone"));
  }
  return ExportSeccomp(filter.get());
}

Result<SeccompProgram> SeccompProgramFromBytes(std::string_view bytes) {
  if (bytes.empty() || bytes.size() % sizeof(SeccompInstruction) != 0 ||
      bytes.size() / sizeof(SeccompInstruction) > BPF_MAXINSNS) {
    return Error(Code::kInvalid, "seccomp program of " + std::to_string(bytes.size()) + " bytes");
  }
  SeccompProgram program(bytes.size() / sizeof(SeccompInstruction));
  memcpy(program.data(), bytes.data(), bytes.size());
  return program;
}

std::string_view BytesOfSeccompProgram(const SeccompProgram& program) {
  return {reinterpret_cast<const char*>(program.data()),
          program.size() * sizeof(SeccompInstruction)};
}

}  // namespace skiff::isolation
