// The task definition that `skiff run` runs: read from a file, or made for one container of an
// image. Pure but for reading the file.
#pragma once

#include <string>
#include <vector>

#include "isolation/base/result.h"
#include "runtime/model/task_definition.h"
#include "tools/skiff/options.h"

namespace skiff::tools {

// A name that ends in .json or a regular file.
bool IsTaskDefinition(const std::string& target);

// "nginx" of "docker.io/library/nginx:1.22": a family and container name that ECS would accept.
std::string NameOfImage(const std::string& image);

runtime::TaskDefinition DefinitionOfImage(const Run& options);

struct RunDefinition {
  runtime::TaskDefinition definition;
  std::string text;  // kept as definition.json
  std::vector<std::string> warnings;
  bool is_image = false;
};

// Parsed, changed as the flags say, validated, and known to be supported. The error names the file
// or image, and the field.
Result<RunDefinition> MakeDefinition(const Run& options);

}  // namespace skiff::tools
