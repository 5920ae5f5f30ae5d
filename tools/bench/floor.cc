// What no runtime can go below: one clone3 of the namespaces that the bundles ask for, with the
// same seccomp program, and the exec.
//   floor ROOTFS FILTER PROGRAM [ARGUMENT...]     FILTER: a file of sock_filter, or "-" for none
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

[[noreturn]] void Fail(const char* what) {
  perror(what);
  _exit(125);
}

sock_filter instructions[BPF_MAXINSNS];

sock_fprog ReadFilter(const char* path) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t size = fd < 0 ? -1 : read(fd, instructions, sizeof(instructions));
  if (size <= 0) Fail(path);
  close(fd);
  return {.len = static_cast<unsigned short>(size / ssize_t{sizeof(sock_filter)}),
          .filter = instructions};
}

[[noreturn]] void BeContainer(char** argv, const sock_fprog* filter) {
  if (chroot(argv[1]) != 0 || chdir("/") != 0) Fail(argv[1]);
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) Fail("no_new_privs");
  if (filter != nullptr && syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, filter) != 0)
    Fail("seccomp");
  char* const environment[] = {nullptr};
  execve(argv[3], argv + 3, environment);
  Fail(argv[3]);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    fputs("usage: floor ROOTFS FILTER PROGRAM [ARGUMENT...]\n", stderr);
    return 2;
  }
  bool has_filter = strcmp(argv[2], "-") != 0;
  sock_fprog filter = has_filter ? ReadFilter(argv[2]) : sock_fprog{};
  clone_args arguments{};
  arguments.flags =
      CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWCGROUP;
  arguments.exit_signal = SIGCHLD;
  long pid = syscall(SYS_clone3, &arguments, sizeof(arguments));
  if (pid < 0) Fail("clone3");
  if (pid == 0) BeContainer(argv, has_filter ? &filter : nullptr);
  int status = 0;
  if (waitpid(static_cast<pid_t>(pid), &status, 0) < 0) Fail("waitpid");
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
