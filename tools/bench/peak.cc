// Runs a command and appends its peak memory in KiB, that of the largest of its processes, to a
// file: peak FILE COMMAND [ARGUMENT...]. Small itself, as what a process was before its exec
// counts.
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char** argv) {
  if (argc < 3) {
    fputs("usage: peak FILE COMMAND [ARGUMENT...]\n", stderr);
    return 2;
  }
  pid_t pid = vfork();
  if (pid == 0) {
    execvp(argv[2], argv + 2);
    _exit(127);
  }
  int status = 0;
  rusage usage{};
  if (pid < 0 || wait4(pid, &status, 0, &usage) < 0) return 125;
  FILE* file = fopen(argv[1], "ae");
  if (file == nullptr) return 125;
  fprintf(file, "%ld\n", usage.ru_maxrss);
  fclose(file);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
