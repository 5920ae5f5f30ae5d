/* Runs inside a container, statically linked, and tells what the kernel answers: one line per
 * attempt, "name answer", where the answer is "ok" or the name of the errno.
 *
 *   probe calls          system calls that a container must not have
 *   probe clone          namespaces by clone(2)
 *   probe sockets        a socket of every family
 *   probe architectures  the calls of 32-bit and x32 programs
 *   probe write PATH...  opens files for writing
 *   probe walk PATH...   opens every file below for writing: those that open
 *   probe ids            real and effective user
 *   probe pry            until SIGTERM, at every other process: what it can look into; then how many
 *                        it met. One whose program is this one is not told of
 *   probe notify         tells $NOTIFY_SOCKET that it is ready, and waits for its end
 *   probe crash          dies with a core dump, if it may
 *   probe keyring NAME   adds a key of that name to the session keyring, unless it is there
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/keyctl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void tell(const char* name, long answer) {
  printf("%s %s\n", name, answer >= 0 ? "ok" : strerrorname_np(errno));
}

/* With arguments that do nothing should one be let through. */
static void calls(void) {
  const long none = -1;
#define TRY_CALL(name, ...) tell(#name, syscall(SYS_##name, ##__VA_ARGS__))
  TRY_CALL(unshare, CLONE_NEWUSER);
  TRY_CALL(setns, none, 0);
  TRY_CALL(mount, 0, 0, 0, 0, 0);
  TRY_CALL(umount2, 0, 0);
  TRY_CALL(pivot_root, 0, 0);
  TRY_CALL(fsopen, 0, 0);
  TRY_CALL(fsconfig, none, 0, 0, 0, 0);
  TRY_CALL(fsmount, none, 0, 0);
  TRY_CALL(fspick, none, 0, 0);
  TRY_CALL(open_tree, none, 0, 0);
  TRY_CALL(move_mount, none, 0, none, 0, 0);
  TRY_CALL(mount_setattr, none, 0, 0, 0, 0);
  TRY_CALL(bpf, 0, 0, 0);
  TRY_CALL(perf_event_open, 0, 0, none, none, 0);
  TRY_CALL(userfaultfd, 0);
  TRY_CALL(io_uring_setup, 0, 0);
  TRY_CALL(io_uring_enter, none, 0, 0, 0, 0, 0);
  TRY_CALL(io_uring_register, none, 0, 0, 0);
  TRY_CALL(add_key, 0, 0, 0, 0, 0);
  TRY_CALL(request_key, 0, 0, 0, 0);
  TRY_CALL(keyctl, 0, 0, 0, 0, 0);
  TRY_CALL(ptrace, 0, 0, 0, 0);
  TRY_CALL(process_vm_readv, 1, 0, 0, 0, 0, 0);
  TRY_CALL(process_vm_writev, 1, 0, 0, 0, 0, 0);
  TRY_CALL(kcmp, 0, 0, 0, 0, 0);
  TRY_CALL(pidfd_getfd, none, 0, 0);
  TRY_CALL(process_madvise, none, 0, 0, 0, 0);
  TRY_CALL(open_by_handle_at, none, 0, 0);
  TRY_CALL(init_module, 0, 0, 0);
  TRY_CALL(finit_module, none, 0, 0);
  TRY_CALL(delete_module, 0, 0);
  TRY_CALL(kexec_load, 0, 0, 0, 0);
  TRY_CALL(swapon, 0, 0);
  TRY_CALL(swapoff, 0);
  TRY_CALL(syslog, 3, 0, 0);
  TRY_CALL(acct, 0);
  TRY_CALL(quotactl, 0, 0, 0, 0);
  TRY_CALL(clock_settime, none, 0);
  TRY_CALL(sethostname, 0, 0);
  TRY_CALL(setdomainname, 0, 0);
  TRY_CALL(fanotify_init, 0, 0);
  TRY_CALL(clone3, 0, 0);
  tell("unknown", syscall(9999));
  TRY_CALL(getpid);
}

static void clones(void) {
  static const struct {
    const char* name;
    unsigned long flag;
  } flags[] = {{"CLONE_NEWNS", CLONE_NEWNS},     {"CLONE_NEWCGROUP", CLONE_NEWCGROUP},
               {"CLONE_NEWUTS", CLONE_NEWUTS},   {"CLONE_NEWIPC", CLONE_NEWIPC},
               {"CLONE_NEWUSER", CLONE_NEWUSER}, {"CLONE_NEWPID", CLONE_NEWPID},
               {"CLONE_NEWNET", CLONE_NEWNET},   {"fork", 0}};
  for (unsigned i = 0; i < sizeof(flags) / sizeof(flags[0]); ++i) {
    fflush(stdout);
    long pid = syscall(SYS_clone, flags[i].flag | SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) _exit(0);
    tell(flags[i].name, pid);
    if (pid > 0) waitpid((pid_t)pid, 0, 0);
  }
}

static void sockets(void) {
  for (int family = 0; family < 48; ++family) {
    char name[32];
    snprintf(name, sizeof(name), "family-%d", family);
    tell(name, socket(family, SOCK_DGRAM, 0));
  }
  for (int protocol = 0; protocol < 24; ++protocol) {
    char name[32];
    snprintf(name, sizeof(name), "netlink-%d", protocol);
    tell(name, socket(AF_NETLINK, SOCK_RAW, protocol));
  }
  tell("raw", socket(AF_INET, SOCK_RAW, 1));
  tell("ping", socket(AF_INET, SOCK_DGRAM, 1));
}

#ifdef __x86_64__
static long old_call(long number) {
  long answer;
  __asm__ volatile("int $0x80" : "=a"(answer) : "a"(number) : "memory", "r8", "r9", "r10", "r11");
  if (answer >= 0) return answer;
  errno = (int)-answer;
  return -1;
}
#endif

static void architectures(void) {
#ifdef __x86_64__
  tell("i386", old_call(20)); /* getpid */
  tell("x32", syscall(0x40000000 | SYS_getpid));
#endif
  tell("native", syscall(SYS_getpid));
}

/* Opening changes nothing; what a write would do is not found out. */
static int try_file(const char* path, const struct stat* info, int kind, struct FTW* where) {
  (void)where;
  if (kind == FTW_D && (strncmp(path, "/proc/", 6) == 0 && path[6] >= '0' && path[6] <= '9')) {
    return FTW_SKIP_SUBTREE; /* processes: the container's own */
  }
  /* Root may open what nobody may write, and then cannot write it either. */
  if (kind != FTW_F || !S_ISREG(info->st_mode) || (info->st_mode & 0222) == 0) return FTW_CONTINUE;
  int fd = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (fd < 0) return FTW_CONTINUE;
  printf("%s\n", path);
  close(fd);
  return FTW_CONTINUE;
}

static volatile sig_atomic_t is_over = 0;
static void stop(int signal_number) {
  (void)signal_number;
  is_over = 1;
}

/* The program of a process, its memory, its root and its descriptors are all behind the one check of
 * ptrace(2); the first of them is asked, for it also tells who was caught. */
static int pry_into(const char* pid, char* caught, size_t size) {
  char path[64];
  snprintf(path, sizeof(path), "/proc/%s/exe", pid);
  ssize_t length = readlink(path, caught, size - 1);
  if (length < 0) return 0;
  caught[length] = 0;
  return strcmp(caught, "/bin/probe") != 0 && strcmp(caught, "/bin/busybox") != 0;
}

static void pry(void) {
  struct sigaction action;
  memset(&action, 0, sizeof(action));
  action.sa_handler = stop;
  sigaction(SIGTERM, &action, 0);
  printf("ready\n");
  fflush(stdout);
  static char met[65536];
  unsigned count = 0;
  while (!is_over) {
    DIR* all = opendir("/proc");
    for (struct dirent* entry; all != 0 && (entry = readdir(all)) != 0;) {
      char caught[4096];
      int pid = atoi(entry->d_name);
      if (pid <= 1 || pid == getpid() || pid >= (int)sizeof(met)) continue;
      /* Looked at again and again while it is being set up. */
      for (int i = 0; i < 50 && !is_over; ++i) {
        if (!pry_into(entry->d_name, caught, sizeof(caught))) continue;
        printf("looked into %s\n", caught);
        is_over = 1;
      }
      count += met[pid] == 0;
      met[pid] = 1;
    }
    if (all != 0) closedir(all);
  }
  printf("met %s\n", count >= 20 ? "many" : "few");
}

static void notify(void) {
  struct sockaddr_un manager = {.sun_family = AF_UNIX};
  strncpy(manager.sun_path, getenv("NOTIFY_SOCKET"), sizeof(manager.sun_path) - 1);
  const char text[] = "STATUS=up\nREADY=1";
  int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
  ssize_t sent =
      sendto(fd, text, sizeof(text) - 1, 0, (struct sockaddr*)&manager, sizeof(manager));
  if (sent > 0) pause();
  tell("notify", sent);
}

int main(int argc, char** argv) {
  const char* what = argc > 1 ? argv[1] : "";
  if (strcmp(what, "calls") == 0) calls();
  if (strcmp(what, "clone") == 0) clones();
  if (strcmp(what, "sockets") == 0) sockets();
  if (strcmp(what, "architectures") == 0) architectures();
  for (int i = 2; i < argc && strcmp(what, "write") == 0; ++i) {
    tell(argv[i], open(argv[i], O_WRONLY | O_CLOEXEC));
  }
  for (int i = 2; i < argc && strcmp(what, "walk") == 0; ++i) {
    nftw(argv[i], try_file, 64, FTW_PHYS | FTW_ACTIONRETVAL);
  }
  if (argc > 2 && strcmp(what, "keyring") == 0) {
    const int session = KEY_SPEC_SESSION_KEYRING;
    long found = syscall(SYS_keyctl, KEYCTL_SEARCH, session, "user", argv[2], 0);
    printf("%s\n", found >= 0 ? "found" : strerrorname_np(errno));
    tell("added", syscall(SYS_add_key, "user", argv[2], "x", 1, session));
  }
  if (strcmp(what, "pry") == 0) pry();
  if (strcmp(what, "notify") == 0) notify();
  if (strcmp(what, "crash") == 0) {
    struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
    setrlimit(RLIMIT_CORE, &unlimited);
    raise(SIGSEGV);
  }
  if (strcmp(what, "ids") == 0) printf("%u %u\n", getuid(), geteuid());
  return 0;
}
