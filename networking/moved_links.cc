#include "networking/moved_links.h"

#include <algorithm>

#include "isolation/sys/process.h"

namespace skiff::networking {
namespace {

constexpr int kNetwork = 0x40000000;  // CLONE_NEWNET

const Link* Find(const std::vector<Link>& links, int index) {
  auto found =
      std::find_if(links.begin(), links.end(), [&](const Link& l) { return l.index == index; });
  return found == links.end() ? nullptr : &*found;
}

// `wanted` where no link has it.
int FreeIndex(const std::vector<Link>& links, int wanted) {
  if (Find(links, wanted) == nullptr) return wanted;
  int highest = wanted;
  for (const Link& link : links) highest = std::max(highest, link.index);
  return highest + 1;
}

// A label begins with the name of its link.
std::vector<LinkAddress> LastingOf(const std::vector<LinkAddress>& addresses, bool is_renamed) {
  std::vector<LinkAddress> lasting;
  for (const LinkAddress& address : addresses) {
    if (!address.IsLasting()) continue;
    lasting.push_back(address);
    if (is_renamed) lasting.back().label.clear();
  }
  return lasting;
}

}  // namespace

Result<MovedLinks> MovedLinks::Move(const std::vector<LinkMove>& moves, int netns) {
  UniqueFd own = TRY(sys::OpenOwnNamespace("net"));
  // Whoever may not enter his own namespace could not come back from the other one.
  TRY(sys::EnterNamespace(own.get(), kNetwork).Context("rights over the links' own namespace"));
  Netlink here = TRY(Netlink::Open());
  Netlink there = TRY(sys::InNetworkNamespace(netns, [] { return Netlink::Open(); }));
  MovedLinks links(std::move(here), std::move(there), std::move(own));
  for (const LinkMove& move : moves) {
    Result<> moved = links.MoveOne(move, netns);
    if (moved.ok()) continue;
    Error error = std::move(moved).Context("link " + move.name).error();
    Result<> back = links.MoveBack();
    if (back.ok()) return error;
    return Error(error.code(), error.message() + "; and " + back.error().message());
  }
  return links;
}

Result<> MovedLinks::MoveOne(const LinkMove& move, int netns) {
  std::optional<Link> link = TRY(here_.FindLink(move.name));
  if (!link) return Error(Code::kNotFound, "is not there");
  bool is_renamed = !move.new_name.empty() && move.new_name != move.name;
  const std::string& name = is_renamed ? move.new_name : move.name;
  std::vector<Link> others = TRY(there_.ListLinks());
  bool is_taken =
      std::any_of(others.begin(), others.end(), [&](const Link& l) { return l.name == name; });
  if (is_taken) return Error(Code::kConflict, "the other namespace has a link named " + name);
  Moved moved{.link = *link, .state = {}, .index = FreeIndex(others, link->index)};
  moved.state.master_index = link->master_index;
  moved.state.is_up = link->is_up;
  moved.state.addresses = TRY(here_.ListAddressesOf(link->index));
  Netlink::LinkState state{
      .addresses = LastingOf(moved.state.addresses, is_renamed), .master_index = 0, .is_up = true};
  moved_.push_back(moved);
  TRY(here_.MoveLink(link->index, {.netns = netns, .name = name, .index = moved.index}));
  return there_.RestoreLink(moved.index, state);
}

Result<> MovedLinks::MoveOneBack(const Moved& moved) {
  std::vector<Link> there = TRY(there_.ListLinks());
  if (Find(there, moved.index) == nullptr) {
    std::vector<Link> here = TRY(here_.ListLinks());
    if (Find(here, moved.link.index) != nullptr) return {};  // its move failed
    return Error(Code::kNotFound, "is gone");
  }
  std::vector<Link> here = TRY(here_.ListLinks());
  int index = FreeIndex(here, moved.link.index);
  TRY(there_.MoveLink(moved.index, {.netns = own_.get(), .name = moved.link.name, .index = index}));
  return here_.RestoreLink(index, moved.state);
}

Result<> MovedLinks::MoveBack() {
  Result<> first;
  for (; !moved_.empty(); moved_.pop_back()) {
    const Moved& moved = moved_.back();
    Result<> back = MoveOneBack(moved);
    if (!back.ok() && first.ok()) first = std::move(back).Context("move back " + moved.link.name);
  }
  return first;
}

}  // namespace skiff::networking
