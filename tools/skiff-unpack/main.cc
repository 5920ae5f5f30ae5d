// skiff-unpack MOST DIRECTORY [LOWER...]: unpacks the layer on standard input, confined. Started by
// skiff and skiffd, not by people.
#include <cstdio>
#include <string_view>

#include "images/unpack_program.h"

int main(int argc, char** argv) {
  if (argc == 2 && std::string_view(argv[1]) == "--version") {
    puts("skiff-unpack " SKIFF_VERSION);
    return 0;
  }
  if (argc < 3 || argv[2][0] != '/') {
    fputs(
        "usage: skiff-unpack MOST DIRECTORY [LOWER...] <LAYER\nUnpacks one layer of an image, of "
        "no "
        "more than MOST bytes, into the "
        "empty directory, confined to it; `skiff image import` starts it.\n",
        stderr);
    return 2;
  }
  return skiff::images::RunUnpackProgram(argc, argv);
}
