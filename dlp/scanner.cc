#include "dlp/scanner.h"

#include <algorithm>
#include <iterator>

#include "dlp/fingerprint.h"
#include "dlp/inspection.h"
#include "dlp/rule_reader.h"
#include "dlp/secret_reader.h"
#include "dlp/seed_phrase_reader.h"

namespace gatehouse::dlp {

namespace {

// The readers and the memory of one thread.
struct Workshop {
  Workshop(std::unique_ptr<ReaderSource> rules, std::unique_ptr<ReaderSource> secrets, Fingerprint fingerprint)
      : inspector{.readers = readers, .fingerprint = std::move(fingerprint)} {
    readers.add(std::move(rules));
    readers.add(std::move(secrets));
    readers.add(std::make_unique<SeedPhraseSource>());
  }
  CombinedSource readers;
  Inspector inspector;
};

class InspectionScan final : public StreamScan {
 public:
  InspectionScan(std::shared_ptr<Workshop> workshop, ExfiltrationScore& score, const StreamInfo& stream,
                 const policy::Limits& limits)
      : workshop_(std::move(workshop)),
        inspection_(workshop_->inspector, stream, limits),
        parameters_(score, inspection_.stream(), [] { return std::chrono::steady_clock::now(); }) {}

  void part(const PartInfo& part) override {
    end_part();
    inspection_.part(part);
    parameters_.begin(part);
    ++parts_;
  }
  void write(std::string_view bytes) override {
    inspection_.write(bytes);
    parameters_.write(bytes);
  }
  void finish() override {
    end_part();
    inspection_.finish();
  }
  std::vector<Finding> take_findings() override {
    auto findings = inspection_.take_findings();
    std::move(scored_.begin(), scored_.end(), std::back_inserter(findings));  // warnings, the mildest
    scored_.clear();
    return findings;
  }
  uint64_t dropped() const override { return inspection_.dropped(); }

 private:
  void end_part() {
    auto finding = parameters_.end();
    if (!finding) return;
    finding->part = parts_ - 1;
    scored_.push_back(std::move(*finding));
  }

  const std::shared_ptr<Workshop> workshop_;
  Inspection inspection_;
  ParameterScore parameters_;
  std::vector<Finding> scored_;  // one in a window at most
  uint32_t parts_ = 0;           // begun
};

std::vector<policy::FindingRule> facts(const std::vector<Rule>& rules) {
  std::vector<policy::FindingRule> facts;
  for (const Rule& rule : rules) facts.push_back({rule.id, rule.category, rule.severity});
  return facts;
}

}  // namespace

Scanner::Scanner(std::vector<policy::FindingRule> facts, RuleTables rules, KnownSecrets secrets,
                 const policy::Limits& limits)
    : facts_(std::move(facts)),
      rules_(std::move(rules)),
      secrets_(std::move(secrets)),
      limits_(std::make_shared<const policy::Limits>(limits)),
      ledger_(secrets_) {}

Result<std::unique_ptr<Scanner>> Scanner::load(const Sources& sources, const policy::Policy& policy) {
  const auto directory = sources.rules.empty() ? rules_directory() : Result<std::string>(sources.rules);
  if (!directory) return failed(directory);
  const auto rules = load_rules(*directory, sources.cache);
  if (!rules) return failed(rules);
  auto known = facts(*rules);
  if (auto ok = policy.check_finding_rules(known); !ok) return failed(ok);
  auto tables = RuleTables::build(*rules, sources.cache);
  if (!tables) return failed(tables);
  auto secrets = sources.secrets.empty() ? KnownSecrets::parse("{}") : KnownSecrets::load(sources.secrets);
  if (!secrets) return failed(secrets, "--secrets");
  return std::unique_ptr<Scanner>(
      new Scanner(std::move(known), std::move(*tables), std::move(*secrets), policy.limits()));
}

Result<std::vector<OpenScan>> Scanner::open_scans(size_t threads) {
  std::vector<OpenScan> scans;
  while (scans.size() < threads) {
    auto scan = open_scan();
    if (!scan) return failed(scan);
    scans.push_back(std::move(*scan));
  }
  return scans;
}

Result<OpenScan> Scanner::open_scan() {
  auto rules = RuleReaderSource::create(rules_);
  if (!rules) return failed(rules);
  auto fingerprinter = Fingerprinter::with_key(secrets_.fingerprint_key());
  if (!fingerprinter) return failed(fingerprinter);
  const auto shared = std::make_shared<Fingerprinter>(std::move(*fingerprinter));
  const auto workshop = std::make_shared<Workshop>(
      std::move(*rules),
      std::make_unique<SecretReaderSource>(secrets_, ledger_, [] { return std::chrono::steady_clock::now(); }),
      [shared](std::string_view secret) { return shared->of(secret); });
  return [this, workshop](const StreamInfo& stream) {
    return std::make_unique<InspectionScan>(workshop, score_, stream, *limits_.get());
  };
}

std::string Scanner::describe() const {
  const auto count = [](const auto& table) { return table ? table->rules().size() : 0; };
  return fmt::format("{} rules outbound, {} inbound, {} secrets", count(rules_.out), count(rules_.in),
                     secrets_.secrets().size());
}

}  // namespace gatehouse::dlp
