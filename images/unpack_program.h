// What skiff-unpack does, and the words between it and the process that started it.
#pragma once

#include <string>
#include <string_view>

#include "images/layer_pass.h"
#include "isolation/base/result.h"

namespace skiff::images {

// Argument 1: how many bytes the tar inside may have, 2: the layer's directory; then the
// directories of the layers beneath, base first. Standard input is the layer's file; descriptor 3
// has a byte once the layers beneath are complete, and is read only when they are needed; the list
// of the files goes to descriptor 4. The answer goes to standard output. The exit status says
// nothing: without an answer the process was killed.
int RunUnpackProgram(int argc, char** argv);

// One line, either "layer <diff id> ..." or "error <code> <message>".
std::string EncodeAnswer(const Result<PlainLayer>& layer);
// Trusts nothing in it but what it says: a line that is not of this form is an error.
Result<PlainLayer> DecodeAnswer(std::string_view line);

}  // namespace skiff::images
