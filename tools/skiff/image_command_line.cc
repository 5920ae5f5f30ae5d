#include "tools/skiff/image_command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <string>
#include <string_view>

#include "isolation/base/clock.h"
#include "tools/skiff/flag_values.h"
#include "tools/skiff/help_texts.h"

namespace skiff::tools {
namespace {

constexpr const char* kAuthFile = "The config.json with credentials (default: docker's)";

// Adds a command that is chosen when it is met.
struct Adder {
  std::optional<Command>* chosen;

  template <typename T>
  CLI::App* operator()(CLI::App* parent, T* options, const std::string& name,
                       const std::string& text, const char* footer) const {
    CLI::App* app = parent->add_subcommand(name, text);
    app->fallthrough();
    app->footer(footer);
    app->callback([target = chosen, options] { *target = *options; });
    return app;
  }
};

void AddKeep(CLI::App* app, std::optional<bool>* keeps_files) {
  app->add_flag_function(
      "--keep-layer-files", [keeps_files](int64_t count) { *keeps_files = count > 0; },
      "Also those of layers that are there already; =false: none. Push and export need them "
      "(default: as /etc/skiff/images.json says)");
}

void AddLayers(CLI::App* app, std::optional<std::string>* layers) {
  app->add_option("--layers", *layers,
                  "How to keep layers that are not there yet: unpacked, or as an EROFS image that "
                  "is mounted (default: as /etc/skiff/images.json says, else auto)")
      ->check(CLI::IsMember({"auto", "unpacked", "erofs"}));
}

void AddRegistryCommands(CLI::App* program, CLI::App* image, const Adder& add, ImageCommands* all) {
  constexpr const char* kVerify = "=false: certificates are not verified, http is spoken as well";
  ImagePull* pull = &all->pull;
  CLI::App* app = add(image, pull, "pull", "Fetch an image from a registry", kPullFooter);
  app->add_option("IMAGE", pull->image, "NAME[:TAG][@DIGEST]")->required();
  app->add_option("--platform", pull->platform,
                  "Which image of several: OS/ARCH[/VARIANT] (default: this host's)");
  app->add_option("--authfile", pull->auth_file, kAuthFile)->type_name("FILE");
  app->add_flag("--tls-verify", pull->is_verified, kVerify);
  app->add_flag("-q,--quiet", pull->is_quiet, "Print the id only");
  AddKeep(app, &pull->keeps_files);
  AddLayers(app, &pull->layers);
  ImagePush* push = &all->push;
  app = add(image, push, "push", "Send an image to a registry", kPushFooter);
  app->add_option("IMAGE", push->image, "Name, id or digest")->required();
  app->add_option("DESTINATION", push->destination, "NAME[:TAG] (default: the image's own)");
  app->add_option("--authfile", push->auth_file, kAuthFile)->type_name("FILE");
  app->add_flag("--tls-verify", push->is_verified, kVerify);
  app->add_flag("-q,--quiet", push->is_quiet, "Print the digest only");
  Login* login = &all->login;
  app = add(program, login, "login", "Keep credentials of a registry", kLoginFooter);
  app->add_option("REGISTRY", login->registry, "HOST[:PORT]")->capture_default_str();
  app->add_option("-u,--username", login->user, "Who")->required();
  app->add_option("--authfile", login->auth_file, kAuthFile)->type_name("FILE");
  app->add_flag("--tls-verify", login->is_verified, kVerify);
  app = add(program, &all->logout, "logout", "Forget credentials of a registry",
            "Example:\n  skiff logout registry.example.com");
  app->add_option("REGISTRY", all->logout.registry, "HOST[:PORT]")->capture_default_str();
  app->add_option("--authfile", all->logout.auth_file, kAuthFile)->type_name("FILE");
}

void AddArchiveCommands(CLI::App* image, const Adder& add, ImageCommands* all) {
  CLI::App* app = add(image, &all->archive, "export", "Write images into a file", kExportFooter);
  app->add_option("IMAGE", all->archive.images, "Names, ids or digests")->required();
  app->add_option("-o,--output", all->archive.output, "Where to (default: standard output)")
      ->type_name("PATH");
  all->archive.format = "oci-archive";
  app->add_option("--format", all->archive.format, "oci-archive, docker-archive or oci")
      ->capture_default_str()
      ->check(CLI::IsMember({"oci-archive", "docker-archive", "oci"}));
  app = add(image, &all->saved, "save", "As export --format docker-archive", kExportFooter);
  app->add_option("IMAGE", all->saved.images, "Names, ids or digests")->required();
  app->add_option("-o,--output", all->saved.output, "Where to (default: standard output)")
      ->type_name("PATH");
  all->saved.format = "docker-archive";
  app = add(image, &all->loaded, "load", "As import, from standard input unless -i says otherwise",
            kImportFooter);
  app->add_option("-i,--input", all->loaded.path, "Archive or OCI layout")->type_name("PATH");
  AddKeep(app, &all->loaded.keeps_files);
  AddLayers(app, &all->loaded.layers);
}

Result<int64_t> ParseUntil(const std::string& text) { return ParseSince(text, WallNanoseconds()); }

// "label=NAME", "label=NAME=VALUE" or docker's "until=DURATION".
Result<> ParseFilter(const std::string& text, ImagePrune* prune) {
  std::string_view rest = text;
  if (rest.starts_with("until=")) {
    prune->until = TRY(ParseUntil(text.substr(6)));
    return {};
  }
  if (!rest.starts_with("label=") || rest == "label=") {
    return Error(Code::kInvalid,
                 "expected label=NAME[=VALUE] or until=DURATION, got '" + text + "'");
  }
  rest.remove_prefix(6);
  size_t equals = std::min(rest.find('='), rest.size());
  std::string_view value = rest.substr(std::min(equals + 1, rest.size()));
  prune->labels.emplace_back(rest.substr(0, equals), value);
  return {};
}

// As CLI11 wants a parser of ours: what it says is wrong is shown with the flag's name.
template <typename Parse>
CLI::Option* AddParsed(CLI::App* app, const std::string& names, const std::string& text,
                       const std::string& form, Parse parse) {
  CLI::callback_t store = [names, parse](const std::vector<std::string>& values) {
    for (const std::string& value : values) {
      Result<> result = parse(value);
      if (!result.ok()) throw CLI::ValidationError(names, result.error().message());
    }
    return true;
  };
  return app->add_option(names, store, text)
      ->type_name(form)
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

void AddUpkeepCommands(CLI::App* image, const Adder& add, ImageCommands* all) {
  CLI::App* tag = add(image, &all->tag, "tag", "Give an image one more name", kTagFooter);
  tag->add_option("IMAGE", all->tag.image, "Name, id or digest")->required();
  tag->add_option("NAME", all->tag.name, "NAME[:TAG]")->required();
  CLI::App* verify = add(image, &all->verify, "verify",
                         "Read images and compare them with what they should be", kVerifyFooter);
  verify->add_option("IMAGE", all->verify.images, "Names, ids or digests (default: all images)");
  verify->add_flag("--repair", all->verify.is_repairing,
                   "Make what is damaged anew: from kept files, else from the registry");
  verify->add_option("--authfile", all->verify.auth_file, kAuthFile)->type_name("FILE");
  CLI::App* du = add(image, &all->du, "du", "What images take on disk", kDuFooter);
  du->add_flag("--json", all->du.is_json, "One JSON document");
  ImagePrune* prune = &all->prune;
  CLI::App* app = add(image, prune, "prune", "Remove images that nobody uses", kPruneFooter);
  app->add_flag("-a,--all", prune->is_all, "Images with a name as well");
  AddParsed(app, "--until", "Only what was not used since", "DURATION|TIME",
            [prune](const std::string& text) -> Result<> {
              prune->until = TRY(ParseUntil(text));
              return {};
            });
  AddParsed(app, "--filter", "Only images it is true of; repeatable",
            "label=NAME[=VALUE]|until=DURATION",
            [prune](const std::string& text) { return ParseFilter(text, prune); });
  app->add_flag("--dry-run", prune->is_dry, "Only say what would go");
  app->add_flag("--by-rules", prune->goes_by_rules,
                "Instead: as skiffd does by itself, by /etc/skiff/images.json");
  app->add_flag("--layer-files", prune->drops_files,
                "Instead: the layers' files as they came; push and export need them");
}

}  // namespace

void AddImageCommands(CLI::App* program, ImageCommands* all, std::optional<Command>* chosen) {
  const Adder add{chosen};
  CLI::App* image = program->add_subcommand(
      "image", "Pull, push, import, export, list, look after and remove images");
  image->require_subcommand(1)->fallthrough();
  AddRegistryCommands(program, image, add, all);
  AddUpkeepCommands(image, add, all);
  CLI::App* import = add(image, &all->import, "import",
                         "Import an image from a file or a directory", kImportFooter);
  import->add_option("PATH", all->import.path, "Archive or OCI layout")->required();
  import->add_option("--name", all->import.name, "What to call it: NAME[:TAG]");
  import->add_option("--platform", all->import.platform,
                     "Which image of several: OS/ARCH[/VARIANT] (default: this host's)");
  AddKeep(import, &all->import.keeps_files);
  AddLayers(import, &all->import.layers);
  AddArchiveCommands(image, add, all);
  CLI::App* list =
      add(image, &all->list, "list", "List images", "Example:\n  skiff image list --json");
  list->alias("ls");
  list->add_flag("--json", all->list.is_json, "One JSON array");
  list->add_flag("-q,--quiet", all->list.is_quiet, "Ids only");
  CLI::App* inspect = add(image, &all->inspect, "inspect", "Describe an image in JSON",
                          "Example:\n  skiff image inspect nginx");
  inspect->add_option("IMAGE", all->inspect.image, "Name, id or digest")->required();
  CLI::App* remove = add(image, &all->remove, "remove", "Remove names, and images without a name",
                         "Example:\n  skiff image remove nginx busybox");
  remove->alias("rm");
  remove->add_option("IMAGE", all->remove.images, "Names, ids or digests")->required();
}

}  // namespace skiff::tools
