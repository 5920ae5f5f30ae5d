// Writes BYTES bytes of 100-byte lines to standard output, CHUNK bytes a write(2): what the
// containers of the log benchmark run. Linked statically, it needs nothing of its image.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

int main(int argc, char** argv) {
  if (argc != 3) {
    fputs("usage: writer BYTES CHUNK\n", stderr);
    return 2;
  }
  size_t total = strtoull(argv[1], nullptr, 10);
  size_t chunk = strtoull(argv[2], nullptr, 10);
  std::string line(99, 'x');
  line += '\n';
  std::string buffer;
  while (buffer.size() < chunk) buffer += line;
  while (total > 0) {
    ssize_t written = write(STDOUT_FILENO, buffer.data(), total < chunk ? total : chunk);
    if (written <= 0) return 1;
    total -= static_cast<size_t>(written);
  }
  return 0;
}
