// skiff-unpack DIRECTORY [LOWER...]: unpacks the layer on standard input, confined. Started by
// skiff and skiffd, not by people.
#include <cstdio>
#include <string_view>

#include "images/unpack_program.h"

int main(int argc, char** argv) {
  if (argc == 2 && std::string_view(argv[1]) == "--version") {
    puts("skiff-unpack " SKIFF_VERSION);
    return 0;
  }
  if (argc < 2 || argv[1][0] != '/') {
    fputs(
        "usage: skiff-unpack DIRECTORY [LOWER...] <LAYER\nUnpacks one layer of an image into the "
        "empty directory, confined to it; `skiff image import` starts it.\n",
        stderr);
    return 2;
  }
  return skiff::images::RunUnpackProgram(argc, argv);
}
