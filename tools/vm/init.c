// Process 1 of the test machine that tools/vm/run boots: makes the root file system, runs one
// command, reports.
//
// What it is told, in the initramfs: /vm/argv and /vm/env (NUL-ended strings), /vm/cwd,
// /vm/modules_dir (where the kernel's modules lie on the host), /vm/keep (NUL-ended paths under
// /tmp or /run that stay visible), /vm/modules/*, and, when process 1 is to become systemd,
// /vm/units/* (unit files). What it says, on the virtio port "skiff": frames
// of one type byte, a 32-bit little-endian length and the data:
//   'h' the command starts now; 'o' and 'e' its output and errors; 'x' its exit status as one byte.
// One port for all of it, so that the status cannot overtake the output. Own troubles go to the
// console, and the machine stops without an 'x'.

#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
  kMaxFileBytes = 1 << 20,
  kMaxStrings = 8192,
  kMaxKept = 8,
  kMaxPath = 4096,
  kChunkBytes = 32 << 10,  // what virtio_console sends at once
  kOutputPipeBytes = 1 << 18,
  kPortWaitMs = 10000,
};

static void Stop(void) {
  sync();
  reboot(RB_POWER_OFF);
  for (;;) pause();
}

static void Die(const char* format, ...) {
  int error = errno;
  va_list arguments;
  va_start(arguments, format);
  fprintf(stderr, "\nvm init: ");
  vfprintf(stderr, format, arguments);
  fprintf(stderr, ": %s\n", strerror(error));
  Stop();
}

static char* ReadFile(const char* path, size_t* length) {
  char* data = calloc(1, kMaxFileBytes + 1);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (!data || fd < 0) Die("open %s", path);
  size_t used = 0;
  ssize_t got;
  while (used < kMaxFileBytes && (got = read(fd, data + used, kMaxFileBytes - used)) > 0)
    used += got;
  close(fd);
  if (length) *length = used;
  return data;
}

static char** ReadStrings(const char* path) {
  size_t length;
  char* data = ReadFile(path, &length);
  char** strings = calloc(kMaxStrings + 1, sizeof(char*));
  if (!strings) Die("memory for %s", path);
  int count = 0;
  for (char* at = data; at < data + length && count < kMaxStrings; at += strlen(at) + 1)
    strings[count++] = at;
  return strings;
}

static void WriteFile(const char* path, const char* text) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0 || write(fd, text, strlen(text)) < 0) Die("write %s to %s", text, path);
  close(fd);
}

static void Mount(const char* source, const char* target, const char* type, unsigned long flags,
                  const char* data) {
  mkdir(target, 0755);
  if (mount(source, target, type, flags, data) < 0)
    Die("mount %s on %s", type ? type : source, target);
}

static void MakeDirectories(const char* path) {
  char partial[kMaxPath];
  snprintf(partial, sizeof partial, "%s", path);
  for (char* slash = strchr(partial + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
    *slash = 0;
    mkdir(partial, 0755);
    *slash = '/';
  }
  mkdir(partial, 0755);
}

static void MountKernelFilesystems(void) {
  Mount("dev", "/dev", "devtmpfs", MS_NOSUID, "mode=0755");
  Mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
  Mount("sys", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
}

static void LoadModules(void) {
  struct dirent** entries;
  int count =
      scandir("/vm/modules", &entries, NULL, alphasort);  // the names begin with their order
  for (int i = 0; i < count; ++i) {
    if (entries[i]->d_name[0] == '.') continue;
    char path[kMaxPath];
    snprintf(path, sizeof path, "/vm/modules/%s", entries[i]->d_name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != EEXIST))
      Die("load %s", path);
    close(fd);
  }
}

// Returns 0 while the port is not there: the host announces it some time after the driver has
// started.
static int FindPort(char* device, size_t size) {
  DIR* directory = opendir("/sys/class/virtio-ports");
  if (!directory) return 0;
  int found = 0;
  for (struct dirent* entry; !found && (entry = readdir(directory));) {
    char path[kMaxPath];
    snprintf(path, sizeof path, "/sys/class/virtio-ports/%s/name", entry->d_name);
    FILE* file = fopen(path, "re");
    char name[64] = "";
    if (file && fgets(name, sizeof name, file) && !strcmp(name, "skiff\n")) found = 1;
    if (file) fclose(file);
    snprintf(device, size, "/dev/%s", entry->d_name);
  }
  closedir(directory);
  return found;
}

static int OpenPort(void) {
  char device[kMaxPath];
  for (int waited = 0; !FindPort(device, sizeof device); ++waited) {
    errno = ETIMEDOUT;
    if (waited == kPortWaitMs) Die("wait for the port of the host");
    usleep(1000);  // sysfs has no change events to wait for
  }
  int fd = open(device, O_RDWR | O_CLOEXEC);
  if (fd < 0) Die("open %s", device);
  return fd;
}

static int KeepOpen(const char* path) {
  char inside[kMaxPath];
  snprintf(inside, sizeof inside, "/root%s", path);
  int fd = syscall(SYS_open_tree, AT_FDCWD, inside, OPEN_TREE_CLONE | O_CLOEXEC);
  if (fd < 0) Die("open %s", inside);
  return fd;
}

static void AttachKept(int fd, const char* path) {
  char inside[kMaxPath];
  snprintf(inside, sizeof inside, "/root%s", path);
  MakeDirectories(inside);
  if (syscall(SYS_move_mount, fd, "", AT_FDCWD, inside, MOVE_MOUNT_F_EMPTY_PATH) < 0)
    Die("attach %s", inside);
  close(fd);
}

// The host's root, shared read-only, below a tmpfs that takes the writes; fresh /tmp and /run in
// which the kept paths of the host are visible again.
static void MountRoot(void) {
  Mount("root", "/lower", "virtiofs", MS_RDONLY, NULL);
  Mount("writes", "/writes", "tmpfs", 0, "mode=0755");
  mkdir("/writes/upper", 0755);
  mkdir("/writes/work", 0755);
  Mount("root", "/root", "overlay", 0,
        "lowerdir=/lower,upperdir=/writes/upper,workdir=/writes/work");
  char** kept = ReadStrings("/vm/keep");
  int fds[kMaxKept];
  int count = 0;
  for (; kept[count] && count < kMaxKept; ++count) fds[count] = KeepOpen(kept[count]);
  Mount("tmp", "/root/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777");
  Mount("run", "/root/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755");
  for (int i = 0; i < count; ++i) AttachKept(fds[i], kept[i]);
}

static void LinkModules(const char* modules_dir) {
  char link[kMaxPath];
  snprintf(link, sizeof link, "/lib/modules%s", strrchr(modules_dir, '/'));
  MakeDirectories("/lib/modules");
  if (symlink(modules_dir, link) < 0 && errno != EEXIST) Die("link %s", link);
}

// pivot_root refuses to leave the initramfs, so the new root is moved over it; a pivot_root inside
// works then.
static void EnterRoot(void) {
  static const char* const kMoved[] = {"/dev", "/proc", "/sys"};
  char* modules_dir = ReadFile("/vm/modules_dir", NULL);
  char target[kMaxPath];
  for (int i = 0; i < 3; ++i) {
    snprintf(target, sizeof target, "/root%s", kMoved[i]);
    Mount(kMoved[i], target, NULL, MS_MOVE, NULL);
  }
  if (chdir("/root") < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0)
    Die("enter the root");
  mount(NULL, "/", NULL, MS_REC | MS_SHARED,
        NULL);  // as systemd leaves it: code that forgets MS_PRIVATE shows
  LinkModules(modules_dir);
}

static void MountServices(void) {
  Mount("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "ptmxmode=0666,mode=0620,gid=5");
  Mount("shm", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777");
  Mount("mqueue", "/dev/mqueue", "mqueue", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
  Mount("bpf", "/sys/fs/bpf", "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700");
  Mount("tracefs", "/sys/kernel/tracing", "tracefs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
  symlink("/proc/self/fd", "/dev/fd");
  symlink("/proc/self/fd/0", "/dev/stdin");
  symlink("/proc/self/fd/1", "/dev/stdout");
  symlink("/proc/self/fd/2", "/dev/stderr");
  if (access("/dev/vda", F_OK) == 0) Mount("/dev/vda", "/scratch", "ext4", MS_NODEV, NULL);
}

static void MountCgroups(int passes_on) {
  Mount("cgroup2", "/sys/fs/cgroup", "cgroup2", MS_NOSUID | MS_NODEV | MS_NOEXEC,
        "nsdelegate,memory_recursiveprot");
  if (mkdir("/sys/fs/cgroup/command", 0755) < 0) Die("make the cgroup of the command");
  if (!passes_on) return;
  char* names = ReadFile("/sys/fs/cgroup/cgroup.controllers", NULL);
  for (char* name = strtok(names, " \n"); name; name = strtok(NULL, " \n")) {
    char enable[64];
    snprintf(enable, sizeof enable, "+%s", name);
    WriteFile("/sys/fs/cgroup/cgroup.subtree_control", enable);
  }
}

static void StartLoopback(void) {
  struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0) Die("start lo");
  close(fd);
}

// The kernel gives process 1 a hard limit of 4096 descriptors; these are what systemd gives.
static void RaiseLimits(void) {
  struct rlimit files = {1024, 524288};
  struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
  if (setrlimit(RLIMIT_NOFILE, &files) < 0 || setrlimit(RLIMIT_NPROC, &unlimited) < 0)
    Die("raise limits");
}

static void RunCommand(int out, int err, char** argv, char** environment, const char* cwd) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  setsid();
  WriteFile("/sys/fs/cgroup/command/cgroup.procs", "0");
  dup2(open("/dev/null", O_RDONLY | O_CLOEXEC), 0);
  dup2(out, 1);
  dup2(err, 2);
  environ = environment;
  if (chdir(cwd) < 0) {
    dprintf(2, "vm: enter %s: %s\n", cwd, strerror(errno));
    _exit(125);
  }
  execvp(argv[0], argv);
  int status = errno == ENOENT ? 127 : 126;
  dprintf(2, "vm: run %s: %s\n", argv[0], strerror(errno));
  _exit(status);
}

static void SendAll(int port, const char* data, size_t length) {
  while (length) {
    ssize_t sent = write(port, data, length);
    if (sent < 0 && errno != EINTR) Die("write to the host");
    if (sent > 0) data += sent, length -= sent;
  }
}

static void SendFrame(int port, char type, const void* data, uint32_t length) {
  static char frame[5 + kChunkBytes];
  frame[0] = type;
  for (int i = 0; i < 4; ++i) frame[1 + i] = (char)(length >> (8 * i));
  memcpy(frame + 5, data, length);
  SendAll(port, frame, 5 + length);
}

// Passes on one piece. Returns what read returned: 0 at the end, -1 when there is nothing now.
static ssize_t Relay(int pipe_fd, int port, char type) {
  static char data[kChunkBytes];
  ssize_t got = read(pipe_fd, data, sizeof data);
  if (got > 0) SendFrame(port, type, data, got);
  return got;
}

// Returns the status of `command` as a shell tells it, or -1 if it still runs. Reaps orphans on the
// way.
static int Reap(pid_t command) {
  int status;
  int result = -1;
  for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
    if (pid == command) result = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }
  return result;
}

// Ends with the command, not with the last holder of its pipes: a process it left behind must not
// hang the machine.
static int RelayUntilExit(int out, int err, int signals, int port, pid_t command) {
  struct pollfd polled[] = {{signals, POLLIN, 0}, {out, POLLIN, 0}, {err, POLLIN, 0}};
  for (;;) {
    if (poll(polled, 3, -1) < 0 && errno != EINTR) Die("poll");
    struct signalfd_siginfo info;
    int status = -1;
    if (polled[0].revents && read(signals, &info, sizeof info) > 0) status = Reap(command);
    if (polled[1].revents && Relay(out, port, 'o') == 0) polled[1].fd = -1;
    if (polled[2].revents && Relay(err, port, 'e') == 0) polled[2].fd = -1;
    if (status >= 0) return status;
  }
}

// What the pipes held when the command ended, and no more: a process left behind may write for
// ever.
static void RelayRest(int fd, int port, char type) {
  for (size_t passed = 0; passed < kOutputPipeBytes;) {
    ssize_t got = Relay(fd, port, type);
    if (got <= 0) return;
    passed += got;
  }
}

static void MakePipe(int ends[2]) {
  if (pipe2(ends, O_CLOEXEC) < 0 || fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0) Die("make a pipe");
  fcntl(ends[1], F_SETPIPE_SZ, kOutputPipeBytes);
}

static void Serve(int port, char** argv, char** environment, const char* cwd) {
  int out[2], err[2];
  MakePipe(out);
  MakePipe(err);
  sigset_t child_ended;
  sigemptyset(&child_ended);
  sigaddset(&child_ended, SIGCHLD);
  sigprocmask(SIG_BLOCK, &child_ended, NULL);
  int signals = signalfd(-1, &child_ended, SFD_CLOEXEC | SFD_NONBLOCK);
  SendFrame(port, 'h', "", 0);
  pid_t command = fork();
  if (command < 0 || signals < 0) Die("start the command");
  if (command == 0) RunCommand(out[1], err[1], argv, environment, cwd);
  close(out[1]);
  close(err[1]);
  unsigned char status = RelayUntilExit(out[0], err[0], signals, port, command);
  RelayRest(out[0], port, 'o');
  RelayRest(err[0], port, 'e');
  SendFrame(port, 'x', &status, 1);
}

static void CopyFile(const char* from, const char* to) {
  size_t length;
  char* data = ReadFile(from, &length);
  int fd = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0 || write(fd, data, length) != (ssize_t)length) Die("write %s", to);
  close(fd);
  free(data);
}

// Below /run they take precedence over the packages' own. Read while the initramfs is in sight.
static void TakeUnits(void) {
  struct dirent** entries;
  int count = scandir("/vm/units", &entries, NULL, NULL);
  MakeDirectories("/root/run/systemd/system");
  for (int i = 0; i < count; ++i) {
    if (entries[i]->d_name[0] == '.') continue;
    char from[kMaxPath], to[kMaxPath];
    snprintf(from, sizeof from, "/vm/units/%s", entries[i]->d_name);
    snprintf(to, sizeof to, "/root/run/systemd/system/%s", entries[i]->d_name);
    CopyFile(from, to);
  }
}

// Process 1 goes on as systemd, which says on a socket when it has started everything
// (sd_notify(3)); this returns then, in another process.
static void BecomeSystemd(void) {
  static const char kName[] = "skiff-vm-ready";
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  memcpy(address.sun_path + 1, kName, sizeof kName - 1);
  int ready = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  socklen_t size = offsetof(struct sockaddr_un, sun_path) + sizeof kName;
  if (ready < 0 || bind(ready, (struct sockaddr*)&address, size) < 0) Die("make a socket");
  pid_t rest = fork();
  if (rest < 0) Die("fork");
  if (rest > 0) {
    setenv("NOTIFY_SOCKET", "@skiff-vm-ready", 1);
    setenv("SYSTEMD_GENERATOR_PATH", "/nowhere", 1);  // they would look for the host's services
    setenv("container", "", 1);  // says that this is none, whatever the host's root looks like
    execl("/lib/systemd/systemd", "systemd", NULL);
    Die("run systemd");
  }
  setsid();
  for (char text[4096];;) {
    ssize_t got = recv(ready, text, sizeof text - 1, 0);
    if (got < 0 && errno != EINTR) Die("wait for systemd");
    text[got < 0 ? 0 : got] = 0;
    if (strstr(text, "READY=1")) break;
  }
  close(ready);
}

int main(void) {
  umask(022);
  MountKernelFilesystems();
  char** argv = ReadStrings("/vm/argv");
  char** environment = ReadStrings("/vm/env");
  char* cwd = ReadFile("/vm/cwd", NULL);
  int is_systemd = access("/vm/units", F_OK) == 0;
  LoadModules();
  int port = OpenPort();
  MountRoot();
  if (is_systemd) TakeUnits();
  EnterRoot();
  MountServices();
  MountCgroups(!is_systemd);
  StartLoopback();
  RaiseLimits();
  sethostname("skiff-vm", 8);
  if (is_systemd) BecomeSystemd();
  Serve(port, argv, environment, cwd);
  Stop();
}
