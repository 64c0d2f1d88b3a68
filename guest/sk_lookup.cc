#include "guest/sk_lookup.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <vector>

#include "common/ipc/agent_protocol.h"

namespace gatehouse::guest {

namespace {

constexpr uint32_t kRelaySlot = 0;
constexpr uint32_t kDnsSlot = 1;
constexpr uint32_t kSlots = 2;

int bpf(bpf_cmd command, bpf_attr& attributes) {
  return static_cast<int>(::syscall(SYS_bpf, command, &attributes, sizeof attributes));
}

uint64_t pointer(const void* p) { return reinterpret_cast<uint64_t>(p); }

// Writes instructions and fills in forward jumps when their label is placed.
class Assembler {
 public:
  struct Label {
    std::vector<size_t> jumps;
  };

  void move(uint8_t to, uint8_t from) { add(BPF_ALU64 | BPF_MOV | BPF_X, to, from, 0, 0); }
  void set(uint8_t to, int32_t value) { add(BPF_ALU64 | BPF_MOV | BPF_K, to, 0, 0, value); }
  void add_to(uint8_t to, int32_t value) { add(BPF_ALU64 | BPF_ADD | BPF_K, to, 0, 0, value); }
  void keep_bits(uint8_t to, int32_t mask) { add(BPF_ALU64 | BPF_AND | BPF_K, to, 0, 0, mask); }
  void load32(uint8_t to, uint8_t from, size_t offset) {
    add(BPF_LDX | BPF_MEM | BPF_W, to, from, static_cast<int16_t>(offset), 0);
  }
  void store32(uint8_t to, int16_t offset, uint8_t from) { add(BPF_STX | BPF_MEM | BPF_W, to, from, offset, 0); }
  void load_map(uint8_t to, int map) {
    add(BPF_LD | BPF_DW | BPF_IMM, to, BPF_PSEUDO_MAP_FD, 0, map);
    add(0, 0, 0, 0, 0);
  }
  void call(bpf_func_id helper) { add(BPF_JMP | BPF_CALL, 0, 0, 0, helper); }
  void exit() { add(BPF_JMP | BPF_EXIT, 0, 0, 0, 0); }
  void jump(Label& to) { jump_if(BPF_JA, 0, 0, to); }
  void jump_if_equal(uint8_t left, int32_t right, Label& to) { jump_if(BPF_JEQ, left, right, to); }
  void jump_if_not_equal(uint8_t left, int32_t right, Label& to) { jump_if(BPF_JNE, left, right, to); }
  void place(const Label& label) {
    for (const size_t at : label.jumps) program_[at].off = static_cast<int16_t>(program_.size() - at - 1);
  }

  const std::vector<bpf_insn>& program() const { return program_; }

 private:
  void add(int code, uint8_t to, uint8_t from, int16_t offset, int32_t value) {
    bpf_insn instruction{};
    instruction.code = static_cast<uint8_t>(code);
    instruction.dst_reg = to & 0xf;
    instruction.src_reg = from & 0xf;
    instruction.off = offset;
    instruction.imm = value;
    program_.push_back(instruction);
  }
  void jump_if(int operation, uint8_t left, int32_t right, Label& to) {
    to.jumps.push_back(program_.size());
    add(BPF_JMP | operation | BPF_K, left, 0, 0, right);
  }

  std::vector<bpf_insn> program_;
};

// Addresses are in network order in memory, so on a little-endian machine the first octet is the lowest.
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);

std::vector<bpf_insn> redirect_program(int map) {
  constexpr uint8_t result = 0, arg1 = 1, arg2 = 2, arg3 = 3, value = 2, slot = 3, context = 6, socket = 7, frame = 10;
  Assembler code;
  Assembler::Label pass, redirect, ipv4, drop, to_slot;

  code.move(context, arg1);
  code.load32(value, context, offsetof(bpf_sk_lookup, protocol));
  code.jump_if_not_equal(value, IPPROTO_TCP, pass);
  code.load32(value, context, offsetof(bpf_sk_lookup, family));
  code.jump_if_equal(value, AF_INET, ipv4);
  for (size_t word = 0; word < 3; ++word) {
    code.load32(value, context, offsetof(bpf_sk_lookup, local_ip6) + 4 * word);
    code.jump_if_not_equal(value, 0, redirect);
  }
  code.load32(value, context, offsetof(bpf_sk_lookup, local_ip6) + 12);
  code.jump_if_equal(value, 1 << 24, pass);  // ::1
  code.jump(redirect);
  code.place(ipv4);
  code.load32(value, context, offsetof(bpf_sk_lookup, local_ip4));
  code.keep_bits(value, 0xff);
  code.jump_if_equal(value, 127, pass);

  code.place(redirect);
  code.set(slot, kRelaySlot);
  code.load32(value, context, offsetof(bpf_sk_lookup, local_port));  // in host order
  code.jump_if_not_equal(value, static_cast<int32_t>(ipc::kDnsPort), to_slot);
  code.set(slot, kDnsSlot);
  code.place(to_slot);
  code.store32(frame, -4, slot);
  code.load_map(arg1, map);
  code.move(arg2, frame);
  code.add_to(arg2, -4);
  code.call(BPF_FUNC_map_lookup_elem);
  code.jump_if_equal(result, 0, drop);
  code.move(socket, result);
  code.move(arg1, context);
  code.move(arg2, socket);
  code.set(arg3, 0);
  code.call(BPF_FUNC_sk_assign);
  code.move(context, result);  // the context is not needed any more
  code.move(arg1, socket);
  code.call(BPF_FUNC_sk_release);
  code.jump_if_not_equal(context, 0, drop);
  code.place(pass);
  code.set(result, SK_PASS);
  code.exit();
  code.place(drop);
  code.set(result, SK_DROP);
  code.exit();
  return code.program();
}

Result<Fd> make_socket_map(int relay, int dns) {
  bpf_attr create{};
  create.map_type = BPF_MAP_TYPE_SOCKMAP;
  create.key_size = sizeof(uint32_t);
  create.value_size = sizeof(uint32_t);
  create.max_entries = kSlots;
  Fd map(bpf(BPF_MAP_CREATE, create));
  if (!map) return fail_errno("cannot make a socket map");
  for (const auto& [slot, socket] : {std::pair{kRelaySlot, relay}, {kDnsSlot, dns}}) {
    const auto descriptor = static_cast<uint32_t>(socket);
    bpf_attr update{};
    update.map_fd = static_cast<uint32_t>(map.get());
    update.key = pointer(&slot);
    update.value = pointer(&descriptor);
    if (bpf(BPF_MAP_UPDATE_ELEM, update) != 0) return fail_errno("cannot put a socket into the map");
  }
  return map;
}

Result<Fd> load(const std::vector<bpf_insn>& program) {
  static constexpr char kLicense[] = "none";
  std::array<char, 4096> words{};
  bpf_attr attributes{};
  attributes.prog_type = BPF_PROG_TYPE_SK_LOOKUP;
  attributes.expected_attach_type = BPF_SK_LOOKUP;
  attributes.insns = pointer(program.data());
  attributes.insn_cnt = static_cast<uint32_t>(program.size());
  attributes.license = pointer(kLicense);
  Fd loaded(bpf(BPF_PROG_LOAD, attributes));
  if (loaded) return loaded;
  const int error = errno;
  attributes.log_level = 1;
  attributes.log_buf = pointer(words.data());
  attributes.log_size = words.size();
  loaded = Fd(bpf(BPF_PROG_LOAD, attributes));  // again, for the verifier's words
  return fail_errno_message(error, fmt::format("cannot load the sk_lookup program: {}", words.data()));
}

}  // namespace

Result<TcpRedirect> TcpRedirect::attach(int relay, int dns) {
  auto map = make_socket_map(relay, dns);
  if (!map) return failed(map, "TCP redirect");
  auto program = load(redirect_program(map->get()));
  if (!program) return failed(program, "TCP redirect");
  const Fd network(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
  if (!network) return fail_errno("TCP redirect: cannot open the network namespace");
  bpf_attr attributes{};
  attributes.link_create.prog_fd = static_cast<uint32_t>(program->get());
  attributes.link_create.target_fd = static_cast<uint32_t>(network.get());
  attributes.link_create.attach_type = BPF_SK_LOOKUP;
  Fd link(bpf(BPF_LINK_CREATE, attributes));
  if (!link) return fail_errno("TCP redirect: cannot attach");
  return TcpRedirect(std::move(*map), std::move(*program), std::move(link));
}

}  // namespace gatehouse::guest
