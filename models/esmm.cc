#include "models/esmm.h"

namespace antiphon {

Funnel EsmmAsFunnel(const Esmm& config) {
  Funnel funnel;
  if (config.has_bottom_dnn()) {
    *funnel.mutable_bottom_dnn() = config.bottom_dnn();
  }
  funnel.set_stop_earlier_grad(config.stop_ctr_grad_in_ctcvr());
  const std::string& click = config.ctr_tower().tower_name();
  const std::string& conversion = config.cvr_tower().tower_name();
  *funnel.add_events()->mutable_tower() = config.ctr_tower();
  FunnelEvent& second = *funnel.add_events();
  *second.mutable_tower() = config.cvr_tower();
  second.add_after(click);
  const std::string& name = config.conditional_name();
  if (config.has_conditional_name() || (click != name && conversion != name)) {
    second.set_conditional_name(name);
  }
  return funnel;
}

}  // namespace antiphon
